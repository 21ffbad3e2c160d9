"""A pi0 checkpoint of the real classes with a tiny random configuration, as ``save_pretrained`` writes it."""

import torch
from transformers import GemmaTokenizer, PI0Config, PI0ForConditionalGeneration, PI0Processor
from transformers.models.pi0.image_processing_pi0 import PI0ImageProcessor

LETTERS = "abcdefghijklmnopqrstuvwxyz\u2581\n"
STATE_DIM, ACTION_DIM, CHUNK = 16, 7, 4


def write_tiny_pi0(folder, *, seed=0, statistics=True):
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    tokenizer = GemmaTokenizer(vocab={word: i for i, word in enumerate([*special, *LETTERS])})
    numbers = {}
    if statistics:
        numbers = {
            "state_mean": [0.0] * STATE_DIM,
            "state_std": [1.0] * STATE_DIM,
            "actions_mean": [0.0] * 6 + [0.5],
            "actions_std": [0.01] * 6 + [0.2],
        }
    processor = PI0Processor(PI0ImageProcessor(), tokenizer, chunk_size=CHUNK, **numbers)
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "num_hidden_layers": 2}
    num_words = len(tokenizer)
    config = PI0Config(
        vlm_config={
            "model_type": "paligemma",
            "text_config": {"model_type": "gemma", "hidden_size": 16, "intermediate_size": 32, "vocab_size": num_words, **heads},
            "vision_config": {
                "model_type": "siglip_vision_model",
                "hidden_size": 16,
                "intermediate_size": 32,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "patch_size": 14,
                "image_size": 224,
                "vision_use_head": False,
            },
            "projection_dim": 16,
            "image_token_id": processor.image_token_id,
        },
        dit_config={"model_type": "gemma", "hidden_size": 16, "intermediate_size": 32, **heads},
        chunk_size=CHUNK,
        num_inference_steps=2,
    )
    torch.manual_seed(seed)
    PI0ForConditionalGeneration(config).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
