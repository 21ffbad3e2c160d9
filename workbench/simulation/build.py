"""Turn a scene into a MuJoCo model: world, table, cameras, robot and props."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from workbench.core.geometry import quat_from_matrix, quat_from_rotvec, quat_multiply
from workbench.simulation.appearance import Look, Texture, read_look
from workbench.simulation.obstacles import add_obstacle
from workbench.simulation.props import add_prop
from workbench.simulation.robot import EE_SITE, PHYSICS_PERIOD_S, add_robot
from workbench.simulation.scene import Scene

TABLE: Final = "table"
"""Name of the table's geoms, and of the table for contacts."""

KEY_LIGHT: Final = "key"
"""Name of the light that throws shadows."""

MATTE: Final = "matte"
"""Material of everything that names no other."""
_WOOD: Final = "wood"
"""Material of a table with a texture."""
_PATTERNS: Final = {
    "flat": mujoco.mjtBuiltin.mjBUILTIN_FLAT,
    "checker": mujoco.mjtBuiltin.mjBUILTIN_CHECKER,
    "gradient": mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
}
_TEXTURE_SIDE: Final = 128
"""[px]"""


# MuJoCo would write its warnings into a file in the working directory.
mujoco.set_mju_user_warning(lambda message: logging.getLogger(__name__).warning("MuJoCo: %s", message))


def build_model(scene: Scene, robot: str = "") -> mujoco.MjModel:
    """Compile a scene.

    Geoms of a prop are named ``<prop>/<part>``, those of the robot ``robot/...``, so that object-id images map to names.

    Args:
        scene: what stands where, and the look.
        robot: path of an MJCF robot, or empty for the built-in arm.

    Raises:
        InvalidInput: the robot file has no arm that can be used.
    """
    spec = mujoco.MjSpec()
    spec.modelname = "workbench"
    _set_options(spec)
    look = read_look(scene.look)
    _add_surroundings(spec, look)
    if robot:
        from workbench.simulation.foreign_robot import attach_robot

        attach_robot(spec, robot)
    else:
        add_robot(spec)
    _add_cameras(spec, look)
    for prop in scene.props:
        add_prop(spec, replace(prop, rgb=look.colours.get(prop.colour, prop.rgb)))
    for index, obstacle in enumerate(scene.obstacles):
        add_obstacle(spec, obstacle, index)
    return spec.compile()


def _set_options(spec: mujoco.MjSpec) -> None:
    spec.compiler.degree = False
    spec.compiler.autolimits = True
    option = spec.option
    option.timestep = PHYSICS_PERIOD_S
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = 10.0
    # Fewer end in a wrong solution now and then: a held cube then shoots out of the fingers.
    option.iterations = 100
    option.ls_iterations = 50
    visual = spec.visual
    visual.map.znear, visual.map.zfar = 0.01, 12.0
    visual.headlight.ambient = (0.40, 0.40, 0.41)
    visual.headlight.diffuse = (0.26, 0.26, 0.26)
    visual.headlight.specular = (0.10, 0.10, 0.10)
    # Clipping planes and lights are scaled by the extent: it must not depend on what stands on the table.
    spec.stat.extent, spec.stat.center, spec.stat.meansize = 1.0, (0.5, 0.0, 0.2), 0.05


def _add_surroundings(spec: mujoco.MjSpec, look: Look) -> None:
    spec.visual.headlight.ambient = look.ambient * spec.visual.headlight.ambient
    spec.visual.headlight.diffuse = look.ambient * spec.visual.headlight.diffuse
    tone = look.light * np.array(look.light_colour)
    spec.add_texture(
        name="sky",
        type=mujoco.mjtTexture.mjTEXTURE_SKYBOX,
        builtin=mujoco.mjtBuiltin.mjBUILTIN_GRADIENT,
        rgb1=look.sky[0],
        rgb2=look.sky[1],
        width=64,
        height=64 * 6,
    )
    spec.worldbody.add_light(
        name=KEY_LIGHT,
        type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
        pos=(1.0, 0.9, 1.9),
        dir=look.light_direction,
        diffuse=0.48 * tone,
        specular=0.22 * tone,
        castshadow=True,
    )
    # The default of MuJoCo shines like plastic; wood and paint do not.
    spec.default.geom.material = MATTE
    spec.add_material(name=MATTE, specular=0.12, shininess=0.3, reflectance=0.0)
    world, box = spec.worldbody, mujoco.mjtGeom.mjGEOM_BOX
    table, mat = (*look.table, 1.0), (*look.mat_colour, 1.0)
    surface = MATTE if look.table_texture is None else _WOOD
    if look.table_texture is not None:
        _add_wood(spec, look.table_texture)
    world.add_geom(name="floor", type=box, pos=(-2.0, 0, -0.77), size=(5.0, 5.0, 0.02), rgba=(*look.floor, 1.0))
    world.add_geom(name=TABLE, type=box, pos=(0.35, 0, -0.02), size=(0.60, 0.65, 0.02), rgba=table, material=surface)
    # A mat shows where the gripper reaches; it is thinner than anything can feel.
    world.add_geom(
        name=f"{TABLE}/mat",
        type=box,
        pos=(0.50, 0, 0.00005),
        size=(0.28, 0.43, 0.0001),
        rgba=mat,
        material=surface,
        contype=0,
        conaffinity=0,
    )
    for index, (x, y) in enumerate(((-0.2, -0.6), (-0.2, 0.6), (0.9, -0.6), (0.9, 0.6))):
        world.add_geom(
            name=f"{TABLE}/leg{index}",
            type=box,
            pos=(x, y, -0.395),
            size=(0.025, 0.025, 0.355),
            rgba=(0.25, 0.26, 0.28, 1),
            contype=0,
            conaffinity=0,
        )


def _add_wood(spec: mujoco.MjSpec, texture: Texture) -> None:
    """Add the material of a textured table; what it shows is multiplied with the colour of the geom."""
    speckled = texture.speckle > 0
    spec.add_texture(
        name=_WOOD,
        type=mujoco.mjtTexture.mjTEXTURE_2D,
        builtin=_PATTERNS[texture.pattern],
        rgb1=(1.0, 1.0, 1.0),
        rgb2=texture.tint,
        mark=mujoco.mjtMark.mjMARK_RANDOM if speckled else mujoco.mjtMark.mjMARK_NONE,
        markrgb=0.5 * (1.0 + np.array(texture.tint)),
        random=texture.speckle,
        width=_TEXTURE_SIDE,
        height=_TEXTURE_SIDE,
    )
    material = spec.add_material(name=_WOOD, specular=0.12, shininess=0.3, reflectance=0.0, texrepeat=[texture.repeat] * 2)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = _WOOD


def _look_at(position: ArrayLike, target: ArrayLike, up: ArrayLike) -> NDArray[np.float64]:
    """Return the ``(4,)`` wxyz quaternion of a MuJoCo camera (looks along -z, +y up in the picture) at ``position``."""
    back = np.subtract(position, target)
    back = back / np.linalg.norm(back)
    right = np.cross(np.asarray(up, dtype=float), back)
    right /= np.linalg.norm(right)
    return quat_from_matrix(np.stack([right, np.cross(back, right), back], axis=1))


def _add_cameras(spec: mujoco.MjSpec, look: Look) -> None:
    jitter = look.camera_jitter
    front, top = (1.42, 0.0, 0.86), (0.49, 0.0, 1.30)
    poses = {
        "front": (front, _look_at(front, (0.40, 0.0, 0.11), (0, 0, 1)), 43.5),
        "top": (top, _look_at(top, (0.49, 0.0, 0.0), (-1, 0, 0)), 40.0),
    }
    for name, (position, quaternion, fovy) in poses.items():
        _add_camera(spec.worldbody, name, position, quaternion, fovy, jitter.get(name))
    ee = next(site for site in spec.sites if site.name == EE_SITE)
    # Behind the fingers and beside the hand, looking past the tool centre point.
    position, target = np.add(ee.pos, (0.075, 0.0, -0.085)), np.add(ee.pos, (0.0144, 0.0, 0.065))
    _add_camera(ee.parent, "wrist", position, _look_at(position, target, (-1, 0, 0)), 70.0, jitter.get("wrist"))


def _add_camera(
    body: mujoco.MjsBody, name: str, position: ArrayLike, quaternion: ArrayLike, fovy: float, jitter: Sequence[float] | None
) -> None:
    if jitter is not None:
        position = np.add(position, jitter[:3])
        quaternion = quat_multiply(quaternion, quat_from_rotvec(jitter[3:6]))
    body.add_camera(name=name, pos=position, quat=quaternion, fovy=fovy)
