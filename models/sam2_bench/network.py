"""SAM 2 at bench size: the real classes of the ``sam2`` package, with small numbers.

Source: Ravi et al. 2024, arXiv:2408.00714. What differs from SAM 2.1's smallest configuration is size alone: side of the picture, widths,
blocks, layers of the memory attention, memories.
"""

from __future__ import annotations

from typing import Final

import torch
from sam2.modeling.backbones.hieradet import Hiera
from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder
from sam2.modeling.memory_attention import MemoryAttention, MemoryAttentionLayer
from sam2.modeling.memory_encoder import CXBlock, Fuser, MaskDownSampler, MemoryEncoder
from sam2.modeling.position_encoding import PositionEmbeddingSine
from sam2.modeling.sam.transformer import RoPEAttention, TwoWayTransformer
from sam2.modeling.sam2_base import SAM2Base
from torch import Tensor

from models.sam2_bench.config import Sam2BenchConfig

STRIDE: Final = 16
"""Pixels to one token of the deepest features that the decoder sees."""
_GAIN: Final = 2.0
_TOKEN_SCALE: Final = 0.3
_SEEN: Final = 3.0
_NUM_FREQUENCIES: Final = 6
"""Of each axis; those that tell neighbouring tokens apart."""
_ROTARY: Final = 1.5


def build_network(config: Sam2BenchConfig) -> SAM2Base:
    """Return a network with random weights."""
    network = SAM2Base(
        image_encoder=_image_encoder(config),
        memory_attention=_memory_attention(config),
        memory_encoder=_memory_encoder(config),
        num_maskmem=config.num_memories,
        image_size=config.image_side,
        backbone_stride=STRIDE,
        sigmoid_scale_for_mem_enc=20.0,
        sigmoid_bias_for_mem_enc=-10.0,
        use_mask_input_as_output_without_sam=True,
        directly_add_no_mem_embed=True,
        no_obj_embed_spatial=True,
        use_high_res_features_in_sam=True,
        multimask_output_in_sam=True,
        multimask_output_for_tracking=True,
        multimask_min_pt_num=0,
        multimask_max_pt_num=1,
        use_multimask_token_for_obj_ptr=True,
        iou_prediction_use_sigmoid=True,
        use_obj_ptrs_in_encoder=True,
        max_obj_ptrs_in_encoder=config.num_pointers,
        add_tpos_enc_to_obj_ptrs=True,
        proj_tpos_enc_in_obj_ptrs=True,
        use_signed_tpos_enc_to_obj_ptrs=True,
        only_obj_ptrs_in_the_past_for_eval=True,
        pred_obj_scores=True,
        pred_obj_scores_mlp=True,
        fixed_no_obj_ptr=True,
        use_mlp_for_obj_ptr_proj=True,
        max_cond_frames_in_attn=2,
    )
    # The package has no argument for the width of this layer: 2,048 would be as much work as all of the trunk.
    network.sam_mask_decoder.transformer = TwoWayTransformer(
        depth=2, embedding_dim=config.hidden_dim, mlp_dim=config.decoder_ffn_dim, num_heads=8
    )
    look_near_first(network)
    return network


def look_near_first(network: SAM2Base) -> None:
    """Make attention start as a look at what is near: queries and keys of a place begin alike.

    A prompt then finds its pixels, and a pixel its memories, before anything was learnt, which would else take most of the training.
    """
    decoder, prompts = network.sam_mask_decoder, network.sam_prompt_encoder
    with torch.no_grad():
        attentions = [decoder.transformer.final_attn_token_to_image]
        for layer in decoder.transformer.layers:
            attentions += [layer.cross_attn_token_to_image, layer.cross_attn_image_to_token]
        for attention in attentions:
            torch.nn.init.orthogonal_(attention.q_proj.weight, gain=_GAIN)
            attention.k_proj.weight.copy_(attention.q_proj.weight)
        for table in (*prompts.point_embeddings, prompts.not_a_point_embed, prompts.no_mask_embed, decoder.iou_token, decoder.mask_tokens):
            table.weight.mul_(_TOKEN_SCALE)
        # Nothing is learnt of the mask of a thing that seems not to be there: begin by seeing everything.
        decoder.pred_obj_score_head.layers[-1].bias.fill_(_SEEN)
        for layer in network.memory_attention.layers:
            attention = layer.cross_attn_image
            for projection in (attention.q_proj, attention.k_proj):
                projection.bias.copy_(_rotary_bias(attention.internal_dim))


def _rotary_bias(dim: int) -> Tensor:
    """Return ``(dim,)``: alike in queries and keys, it makes rotary attention prefer the same place, by its high frequencies."""
    bias = torch.zeros(dim)
    for axis in (0, dim // 2):
        bias[axis : axis + 2 * _NUM_FREQUENCIES] = _ROTARY
    return bias


def _image_encoder(config: Sam2BenchConfig) -> ImageEncoder:
    trunk = Hiera(
        embed_dim=config.embed_dim,
        num_heads=1,
        stages=config.blocks,
        # The third stage sees the whole picture, but for its first block, which pools.
        global_att_blocks=tuple(range(sum(config.blocks[:2]) + 1, sum(config.blocks[:3]))),
        window_pos_embed_bkg_spatial_size=(7, 7),
        window_spec=(8, 4, 8, 8),
    )
    neck = FpnNeck(
        position_encoding=PositionEmbeddingSine(config.hidden_dim, normalize=True, scale=None, temperature=10000),
        d_model=config.hidden_dim,
        backbone_channel_list=list(trunk.channel_list),
        fpn_top_down_levels=[2, 3],
        fpn_interp_model="nearest",
    )
    return ImageEncoder(trunk, neck, scalp=1)


def _memory_attention(config: Sam2BenchConfig) -> MemoryAttention:
    side = config.image_side // STRIDE

    def attend(**more: object) -> RoPEAttention:
        return RoPEAttention(
            rope_theta=10000.0,
            feat_sizes=(side, side),
            embedding_dim=config.hidden_dim,
            num_heads=1,
            downsample_rate=1,
            dropout=0.0,
            **more,
        )

    layer = MemoryAttentionLayer(
        activation="relu",
        dim_feedforward=config.memory_ffn_dim,
        dropout=0.0,
        pos_enc_at_attn=False,
        self_attention=attend(),
        d_model=config.hidden_dim,
        pos_enc_at_cross_attn_keys=True,
        pos_enc_at_cross_attn_queries=False,
        cross_attention=attend(rope_k_repeat=True, kv_in_dim=config.memory_dim),
    )
    return MemoryAttention(d_model=config.hidden_dim, pos_enc_at_input=True, layer=layer, num_layers=config.num_memory_layers)


def _memory_encoder(config: Sam2BenchConfig) -> MemoryEncoder:
    return MemoryEncoder(
        out_dim=config.memory_dim,
        in_dim=config.hidden_dim,
        position_encoding=PositionEmbeddingSine(config.memory_dim, normalize=True, scale=None, temperature=10000),
        mask_downsampler=MaskDownSampler(embed_dim=config.hidden_dim, kernel_size=3, stride=2, padding=1),
        fuser=Fuser(CXBlock(config.hidden_dim, layer_scale_init_value=1e-2), num_layers=2),
    )
