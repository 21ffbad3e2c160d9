"""Pictures and videos of one's own under the tab of masks: reading them, clicking, following, and writing masks to files."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any, Final

import av
import gradio as gr
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from panels.errors import bind
from panels.events import QUIET
from panels.state import AppState, UiState
from workbench.core.errors import InvalidInput, TooLarge
from workbench.core.masks import EXCLUDE, INCLUDE
from workbench.segmentation.media import MediaMasks

MAX_PICTURE_MP: Final = 40.0
MAX_SIDE_PX: Final = 1280
"""Larger pictures are worked at in this size."""
MAX_VIDEO_SIDE_PX: Final = 640
MAX_FRAMES: Final = 600
PICTURES: Final = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
VIDEOS: Final = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif")
_TICK_S: Final = 0.5
"""How often the page asks how far a video is followed [s]."""
INCLUDES, EXCLUDES = "belongs to it", "does not belong to it"


def build(app: AppState, ui: gr.State) -> None:
    """Place the part for uploads in the present Gradio layout."""
    with gr.Accordion("A picture or video of your own", open=False, elem_id="masks-media"):
        with gr.Row(elem_classes="tight"):
            load = gr.UploadButton("Open a picture or video", size="sm", elem_id="masks-open", type="filepath", file_count="single")
            mode = gr.Radio([INCLUDES, EXCLUDES], value=INCLUDES, label="What I click …", elem_id="masks-mode")
        about = gr.HTML(html_template="<p class='about'></p>", js_on_load=_ABOUT, elem_id="masks-about", value={"text": ""})
        picture = gr.Image(
            label="Click on a thing", interactive=False, format="jpeg", height=340, elem_id="masks-picture", buttons=[], visible=False
        )
        frame = gr.Slider(0, 1, value=0, step=1, label="Frame", elem_id="masks-frame", visible=False)
        with gr.Row(elem_classes="tight"):
            another = gr.Button("Next object", size="sm", elem_id="masks-next", min_width=80)
            undo = gr.Button("Undo", size="sm", elem_id="masks-undo", min_width=60)
            follow = gr.Button("Follow through the video", size="sm", elem_id="masks-follow", visible=False, min_width=140)
            cancel = gr.Button("Cancel", size="sm", elem_id="masks-cancel", visible=False, min_width=60)
        clock = gr.Timer(_TICK_S, active=False)
        with gr.Row(elem_classes="tight"):
            to_coco = gr.DownloadButton("Save as COCO", size="sm", elem_id="masks-coco", min_width=80)
            to_png = gr.DownloadButton("Save as PNG", size="sm", elem_id="masks-png", min_width=80)
    load.upload(bind(on_open, app), [load, ui], [picture, frame, follow, cancel, about], **QUIET)
    picture.select(bind(on_click, app), [frame, mode, ui], [picture, about], **QUIET)
    frame.release(bind(on_frame, app), [frame, ui], [picture], **QUIET)
    another.click(bind(on_next, app), [ui], [about], **QUIET)
    undo.click(bind(on_undo, app), [frame, ui], [picture], **QUIET)

    follow.click(bind(on_follow, app), [ui], [clock], **QUIET)
    clock.tick(bind(on_tick, app), [ui], [picture, frame, about, clock], **QUIET)
    cancel.click(bind(on_cancel, app), [ui], None, **QUIET)
    to_coco.click(bind(on_coco, app), [ui], [to_coco], **QUIET)
    to_png.click(bind(on_png, app), [ui], [to_png], **QUIET)


_ABOUT: Final = """const p = element.querySelector('p');
const show = () => { p.textContent = props.value?.text ?? ''; };
watch('value', show); show();"""


def on_open(app: AppState, path: str, ui: UiState) -> tuple[Any, Any, Any, Any, dict[str, str]]:
    """Read an upload; what was open before stays when it cannot be read."""
    frames = read_media(Path(path))
    tracking = app.live.get(ui.tab_id).masks.tracking
    segmenter = tracking.pool.get("classical" if tracking.segmenter == "oracle" else tracking.segmenter)
    media = app.live.get(ui.tab_id).masks.media = MediaMasks(frames, segmenter, name=Path(path).stem[:60])
    is_video = len(frames) > 1
    text = f"{len(frames)} frames" if is_video else "One picture"
    return (
        gr.Image(media.overlay(0), visible=True),
        gr.Slider(0, max(1, len(frames) - 1), value=0, visible=is_video),
        gr.Button(visible=is_video),
        gr.Button(visible=is_video),
        {"text": f"{text} of {media.width} x {media.height}, masked by {segmenter.spec.name}. Click on a thing."},
    )


def media_of(app: AppState, ui: UiState) -> MediaMasks:
    """Return what is open.

    Raises:
        InvalidInput: nothing is.
    """
    media = app.live.get(ui.tab_id).masks.media
    if media is None:
        raise InvalidInput("masks", expected="an open picture or video", found="none", fix="Open one first.")
    return media


def on_click(app: AppState, frame: float, mode: str, ui: UiState, event: gr.SelectData) -> tuple[Any, dict[str, str]]:
    """Mask what was clicked."""
    media = media_of(app, ui)
    u, v = (float(x) + 0.5 for x in event.index)
    found = media.click(int(frame), (u, v), INCLUDE if mode == INCLUDES else EXCLUDE)
    area = int(found.masks[int(frame)].sum())
    return media.overlay(int(frame)), {"text": f"{found.name}: {area} pixels. {len(media.objects)} in all."}


def on_frame(app: AppState, frame: float, ui: UiState) -> Any:
    """Show another frame."""
    return media_of(app, ui).overlay(int(frame))


def on_next(app: AppState, ui: UiState) -> dict[str, str]:
    """Begin another object with the next click."""
    media_of(app, ui).new_object()
    return {"text": "The next click masks another object."}


def on_undo(app: AppState, frame: float, ui: UiState) -> Any:
    """Take back the last click."""
    media = media_of(app, ui)
    media.undo()
    return media.overlay(int(frame))


def on_follow(app: AppState, ui: UiState) -> Any:
    """Begin to follow the objects through the video."""
    media_of(app, ui).follow()
    return gr.Timer(active=True)


def on_tick(app: AppState, ui: UiState) -> tuple[Any, Any, dict[str, str], Any]:
    """Show how far the objects were followed."""
    media = media_of(app, ui)
    now = media.following
    frame = max(0, len(media.frames) - now.total + now.done - 1) if now.done else 0
    text = f"{now.done} of {now.total} frames followed"
    if not now.is_running:
        is_whole = now.done == now.total and not now.trouble
        text = "All frames are followed." if is_whole else f"Stopped after {text}; what was found stays. {now.trouble}".strip()
    return media.overlay(frame), gr.Slider(value=frame), {"text": text}, gr.Timer(active=now.is_running)


def on_cancel(app: AppState, ui: UiState) -> None:
    """Stop following."""
    media_of(app, ui).cancel()


def on_coco(app: AppState, ui: UiState) -> str:
    """Write the masks as a COCO document."""
    media = media_of(app, ui)
    path = _export_path(app, f"{media.name}-masks.json")
    path.write_text(json.dumps(media.to_coco()))
    return str(path)


def on_png(app: AppState, ui: UiState) -> str:
    """Write the masks as PNG files in one archive: the number of a pixel is that of its object."""
    media = media_of(app, ui)
    path = _export_path(app, f"{media.name}-masks.zip")
    with zipfile.ZipFile(path, "w") as archive:
        for frame, picture in media.index_masks():
            buffer = io.BytesIO()
            Image.fromarray(picture).save(buffer, "PNG")
            archive.writestr(f"{media.name}-{frame:05d}.png", buffer.getvalue())
        archive.writestr("objects.json", json.dumps({str(i + 1): o.name for i, o in enumerate(media.objects)}))
    return str(path)


def _export_path(app: AppState, name: str) -> Path:
    folder = app.settings.exports_dir
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def read_media(path: Path) -> list[NDArray[np.uint8]]:
    """Return the frames ``(H, W, 3) uint8`` of a picture (one) or a video.

    Raises:
        InvalidInput: it is neither, or damaged.
        TooLarge: it has too many pixels or frames.
    """
    if path.suffix.lower() in PICTURES:
        return [read_picture(path)]
    if path.suffix.lower() in VIDEOS:
        return read_video(path)
    raise InvalidInput("file", expected=f"a picture ({', '.join(PICTURES)}) or video ({', '.join(VIDEOS)})", found=path.suffix or "neither")


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Return a picture ``(H, W, 3) uint8``, made smaller where it is large.

    Raises:
        InvalidInput: it cannot be read.
        TooLarge: it has too many pixels.
    """
    try:
        with Image.open(path) as opened:
            width, height = opened.size
            if width * height > 1e6 * MAX_PICTURE_MP:
                raise TooLarge(
                    "picture",
                    limit=f"{MAX_PICTURE_MP:g} megapixels",
                    found=f"{width} x {height}",
                    fix="Make it smaller, or cut out a part.",
                )
            picture = opened.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InvalidInput("picture", expected="a file that can be read", found=str(error)[:100], fix="Save it again as PNG.") from error
    picture.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX))
    return np.array(picture)


def read_video(path: Path) -> list[NDArray[np.uint8]]:
    """Return the frames of a video, made smaller where they are large.

    Raises:
        InvalidInput: it cannot be read, or holds no pictures.
        TooLarge: it is too long.
    """
    frames: list[NDArray[np.uint8]] = []
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                if len(frames) >= MAX_FRAMES:
                    raise TooLarge("video", limit=f"{MAX_FRAMES} frames", found="more", fix="Cut out the part that matters.")
                scale = min(1.0, MAX_VIDEO_SIDE_PX / max(frame.width, frame.height))
                size = max(2, round(frame.width * scale)), max(2, round(frame.height * scale))
                shown: Any = frame  # untyped there
                frames.append(np.array(shown.to_image(width=size[0], height=size[1]).convert("RGB")))
    except (av.FFmpegError, IndexError, ValueError) as error:
        raise InvalidInput("video", expected="a file that can be read", found=str(error)[:100], fix="Save it again as MP4.") from error
    if not frames:
        raise InvalidInput("video", expected="pictures in it", found="none")
    return frames
