"""The stand-in models: tiny diffusers folders, built here, so that everything runs where no real model is."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workers_app.engines import standin_weights

SEED = 11  # of the first dozen, the one whose prompts differ most in colour
TOKENS = 128

CARD = """---
license: apache-2.0
library_name: diffusers
---
# {name}

A stand-in, not a trained model. Its weights are fixed random numbers (seed {seed}), shaped so that the pictures are
soft fields of colour: the seed decides where the colours lie, the prompt which ones they are. It is here so that the
whole service, from queue to stored file, runs in seconds on a CPU, in the pipelines that real models run in.
Put a real model's folder or hub id in its place for real pictures.
"""


def resolve(model: str, models_folder: Path) -> str:
    """Where `model` is: the folder of a stand-in, built if it is not there; any other name is what it was."""
    return str(ensure(model, models_folder)) if model in STAND_INS else model


def ensure(name: str, models_folder: Path) -> Path:
    """The folder of a stand-in, built on first use.

    Two processes may build at once: each in a folder of its own, and the rename lets one win; both are the same.
    """
    folder = models_folder / name
    if (folder / "model_index.json").exists():
        return folder
    models_folder.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=models_folder))
    try:
        _build(name, draft)
        os.replace(draft, folder)
    except OSError:
        if not (folder / "model_index.json").exists():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _build(name: str, folder: Path) -> None:
    import torch

    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(SEED)
        STAND_INS[name]().save_pretrained(folder)
    folder.joinpath("README.md").write_text(CARD.format(name=name, seed=SEED))
    folder.chmod(0o755)  # mkdtemp's own is for one user only


def _image() -> Any:
    from diffusers import StableDiffusionPipeline

    return StableDiffusionPipeline(
        **_parts(), safety_checker=None, feature_extractor=None, image_encoder=None, requires_safety_checker=False
    )


def _video() -> Any:
    from diffusers import AnimateDiffPipeline

    return AnimateDiffPipeline(**_parts(), motion_adapter=standin_weights.motion_adapter())


STAND_INS: dict[str, Callable[[], Any]] = {"stand-in-image": _image, "stand-in-video": _video}


def _parts() -> dict[str, Any]:
    return {
        "vae": standin_weights.vae(),
        "text_encoder": _text_encoder(),
        "tokenizer": _tokenizer(),
        "unet": standin_weights.unet(),
        "scheduler": _scheduler(),
    }


def _scheduler() -> Any:
    """The network predicts the picture itself (`sample`): then a random one leaves no noise behind."""
    from diffusers import DDIMScheduler

    return DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="sample",
        clip_sample=False,
        set_alpha_to_one=True,
        timestep_spacing="trailing",
        steps_offset=1,  # of no effect here, but without it Stable Diffusion gives advice at every load
    )


def _tokenizer() -> Any:
    """One token per byte: any text has tokens, and no vocabulary has to be shipped."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={word: n for n, word in enumerate(words)}, merges=[], model_max_length=TOKENS)


def _text_encoder() -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel

    config = CLIPTextConfig(
        vocab_size=514,
        bos_token_id=512,
        eos_token_id=513,
        pad_token_id=513,
        hidden_size=standin_weights.TEXT_WIDTH,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=TOKENS,
        initializer_factor=4.0,
    )
    return CLIPTextModel(config).eval()
