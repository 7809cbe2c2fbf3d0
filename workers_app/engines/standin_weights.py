"""The weights of the stand-in models: random, and shaped so that their pictures are soft fields of colour."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

LATENT_SIZE = 18  # an int, since AnimateDiff takes no list; 144 x 144 pixels, as many as 192 x 112
CHANNELS = (32, 64)
TEXT_WIDTH = 64
TRAINED_FRAMES = 16


def vae() -> Any:
    """Not random at all: latents are the picture made smaller, so that a storyboard survives the trip."""
    from diffusers import AutoencoderTiny

    tiny = AutoencoderTiny(
        encoder_block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        num_encoder_blocks=(0, 0, 0, 0),
        num_decoder_blocks=(0, 0, 0, 0),
    )
    for layer in [*tiny.encoder.layers, *tiny.decoder.layers]:
        if hasattr(layer, "weight"):
            _pass_through(layer)
    contrast = 4.0  # pixels 0..1 become latents -2..2, about the variance that schedulers expect
    tiny.encoder.layers[-1].weight.mul_(contrast)
    tiny.encoder.layers[-1].bias.fill_(-contrast / 2)
    first, last = tiny.decoder.layers[0], tiny.decoder.layers[-1]
    first.weight[4:] = -first.weight[:4]  # relu(x) - relu(-x) is x
    last.weight[:, 4:7] = -last.weight[:, :3]
    last.weight.div_(contrast * 0.9)  # 0.9: the decoder's own tanh
    last.bias.fill_(0.5)
    return tiny.eval()


def unet() -> Any:
    """A random network whose convolutions blur, with its input wired through to its output."""
    from diffusers import UNet2DConditionModel

    network = UNet2DConditionModel(
        sample_size=LATENT_SIZE,
        block_out_channels=CHANNELS,
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=4,
        norm_num_groups=4,
    )
    for name, module in network.named_modules():
        _blur(module)
        if name.endswith("attn2.to_k"):
            module.weight.mul_(12)  # sharp attention, to few letters: otherwise all prompts have one colour
    _wire_through(network)
    return network.eval()


def _wire_through(network: Any) -> None:
    """Channels 0-3 carry the latents and 4-7 their negatives: silu(x) - silu(-x) is x, so nothing is lost."""
    import torch

    last = network.up_blocks[-1].resnets[-1]
    above = last.conv_shortcut.weight.shape[1] - CHANNELS[0]
    network.conv_in.weight[:8].zero_()
    last.conv_shortcut.weight[:8].zero_()
    last.conv_shortcut.weight[:8, above : above + 8, 0, 0] = torch.eye(8)
    network.conv_out.weight[:, :8].zero_()
    network.conv_out.weight[:, 8:].mul_(1.5)
    for n in range(4):
        network.conv_in.weight[n, n] = _kernel()
        network.conv_in.weight[n + 4, n] = -_kernel()
        network.conv_out.weight[n, n] = 1.2 * _kernel()
        network.conv_out.weight[n, n + 4] = -1.2 * _kernel()


def motion_adapter() -> Any:
    """Attention to the neighbours in time: what the frames share stays, what is noise in one of them goes."""
    from diffusers import MotionAdapter
    from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D

    adapter = MotionAdapter(
        block_out_channels=CHANNELS,
        motion_layers_per_block=1,
        motion_num_attention_heads=1,
        motion_norm_num_groups=4,
        motion_max_seq_length=TRAINED_FRAMES,
        use_motion_mid_block=False,
    )
    for module in adapter.modules():
        if isinstance(module, AnimateDiffTransformer3D):
            _attend_to_neighbours(module)
    return adapter.eval()


def _attend_to_neighbours(module: Any) -> None:
    """Positions are added to all channels, and vary in the low ones: those find the neighbours, the colours go through
    the high ones, where the position is the same for all frames and tints none."""
    import torch

    block, width = module.transformer_blocks[0], module.in_channels
    eye = torch.eye(width)
    where = torch.diag(torch.tensor([2.0] * (width // 2) + [0.0] * (width // 2)))
    for layer, weight in (
        (module.proj_in, eye.flip(0)),
        (block.attn1.to_out[0], 2 * eye),
        (module.proj_out, eye.flip(0)),
    ):
        layer.weight.copy_(weight)
        layer.bias.zero_()
    block.attn1.to_q.weight.copy_(where)
    block.attn1.to_k.weight.copy_(where)
    block.attn1.to_v.weight.copy_(eye)
    for layer in (block.attn2.to_out[0], block.ff.net[-1]):
        layer.weight.zero_()
        layer.bias.zero_()


def _pass_through(convolution: Any) -> None:
    import torch

    same = torch.eye(*convolution.weight.shape[:2])
    convolution.weight.copy_(same[:, :, None, None] * _kernel())
    if convolution.bias is not None:
        convolution.bias.zero_()


def _blur(module: Any) -> None:
    """Give a random 3x3 convolution the shape of a soft brush; without it the pictures are grain."""
    import torch

    if isinstance(module, torch.nn.Conv2d) and module.kernel_size == (3, 3):
        module.weight.copy_(module.weight.mean((2, 3), keepdim=True) * 9 * _kernel())


def _kernel() -> "torch.Tensor":
    import torch

    row = torch.tensor([1.0, 2.0, 1.0]) / 4
    return torch.outer(row, row)
