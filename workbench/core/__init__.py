"""Types, protocols, geometry, events and errors that every storey shares (standard library and numpy only).

Conventions, valid in the whole project:

- SI units, radians, seconds. Names carry units where they are not SI-base: ``_s``, ``_rad``, ``_px``, ``_hz``.
- World frame: right-handed, +Z up, robot base at the origin, +X away from the robot towards the table, +Y to its left.
- Quaternions are ``wxyz``. ``T_a_b`` maps coordinates of frame b to frame a: ``p_a = T_a_b @ p_b``.
- Cameras follow OpenCV: +Z forward, +X right, +Y down. Depth is metric distance along +Z, not along the ray.
- Images are ``(H, W, 3) uint8`` RGB. Pixels are ``(u, v)`` = (column, row); the centre of the top-left pixel is (0.5, 0.5),
  so the picture spans ``[0, W] x [0, H]`` and 0..1 image coordinates are ``(u / W, v / H)``.
- Gripper: 0 closed to 1 open.
- An action is ``(7,) float32``: dx dy dz [m], droll dpitch dyaw [rad, rotation vector], gripper opening target [0..1], in the base frame.
- Proprioception is ``(16,) float32``: 7 joint angles, end-effector position (3), end-effector quaternion (4), measured gripper
  opening, commanded gripper opening. ``workbench.core.types.PROPRIO`` names the slices.
- Randomness and time are arguments: ``rng: np.random.Generator``, ``seed``, ``clock``.
"""
