"""How the page looks: one restrained theme of system fonts, for light and dark; layout rules in ``assets/page.css``."""

from __future__ import annotations

from typing import Final

from gradio.themes import Base, Color, Size

INK: Final = Color(
    "#f6f7f9", "#eceef2", "#dde1e8", "#c3c9d4", "#97a0b0", "#6b7588", "#4c5567", "#363d4c", "#222834", "#171c26", "#0e1219", name="ink"
)
"""Cool greys, from paper to night."""
SIGNAL: Final = Color(
    "#ecfdf8", "#cff9ec", "#a3f0db", "#6be2c6", "#34cbad", "#12b094", "#0b8d78", "#0d7062", "#10594f", "#124a42", "#042b27", name="signal"
)
"""Teal, for what is live or about to happen."""
FONTS: Final = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "DejaVu Sans", "sans-serif"]
MONO_FONTS: Final = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace"]
RADIUS: Final = Size("2px", "4px", "6px", "8px", "10px", "12px", "16px", name="workbench")


def make_theme() -> Base:
    """Return the theme; it asks no host for fonts."""
    theme = Base(
        primary_hue=SIGNAL,
        secondary_hue=SIGNAL,
        neutral_hue=INK,
        text_size="sm",
        spacing_size="sm",
        radius_size=RADIUS,
        font=FONTS,
        font_mono=MONO_FONTS,
    )
    return theme.set(
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        background_fill_primary="white",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_50",
        background_fill_secondary_dark="*neutral_950",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_shadow="none",
        block_padding="4px 2px",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_label_border_width="0px",
        block_label_text_color="*neutral_500",
        block_label_text_color_dark="*neutral_400",
        block_title_text_weight="500",
        block_title_text_color="*neutral_600",
        block_title_text_color_dark="*neutral_300",
        border_color_primary="*neutral_200",
        border_color_primary_dark="*neutral_800",
        input_background_fill="white",
        input_background_fill_dark="*neutral_900",
        input_border_width="1px",
        input_border_color="*neutral_200",
        input_border_color_dark="*neutral_800",
        input_border_color_focus="*primary_500",
        input_border_color_focus_dark="*primary_500",
        input_shadow_focus="0 0 0 2px color-mix(in srgb, *primary_500 25%, transparent)",
        button_large_text_weight="500",
        button_large_text_size="*text_md",
        button_large_padding="7px 14px",
        button_small_text_weight="500",
        button_small_padding="5px 10px",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_500",
        button_primary_background_fill_hover_dark="*primary_400",
        button_primary_text_color="white",
        button_primary_text_color_dark="*neutral_950",
        button_secondary_background_fill="*neutral_100",
        button_secondary_background_fill_hover="*neutral_200",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_border_color="*neutral_200",
        button_secondary_border_color_dark="*neutral_700",
        checkbox_label_background_fill="transparent",
        checkbox_label_background_fill_dark="transparent",
        checkbox_label_background_fill_hover="transparent",
        checkbox_label_background_fill_hover_dark="transparent",
        checkbox_label_border_width="0px",
        checkbox_label_padding="4px 2px",
        panel_background_fill="transparent",
        panel_background_fill_dark="transparent",
        layout_gap="*spacing_lg",
    )
