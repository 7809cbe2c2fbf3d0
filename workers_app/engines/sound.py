"""Samples, (n,) or (channels, n), float32, -1 to 1: silence cut off, a length made exact, a rate changed."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Samples = np.ndarray[Any, np.dtype[np.float32]]

HEARD = 0.01  # of the loudest sample: 40 dB below it


def trimmed(samples: "Samples", *, sample_rate: int, before: float = 0.05, after: float = 0.12) -> "Samples":
    """Without the silence at both ends, but for a margin of `before` and `after` seconds; empty if nothing is heard."""
    import numpy as np

    loudness = np.abs(np.atleast_2d(samples)).max(axis=0, initial=0.0)
    heard = np.flatnonzero(loudness > HEARD * loudness.max(initial=0.0))
    if not heard.size:
        return samples[..., :0]
    return samples[..., max(0, heard[0] - int(before * sample_rate)) : heard[-1] + 1 + int(after * sample_rate)]


def lasting(samples: "Samples", seconds: float, *, sample_rate: int, fade: float = 0.05) -> "Samples":
    """Exactly that long: faded out where it is cut, or where silence follows."""
    import numpy as np

    wanted = round(seconds * sample_rate)
    kept = samples[..., :wanted].copy()
    if samples.shape[-1] == wanted:
        return kept
    length = min(kept.shape[-1], int(fade * sample_rate))
    if length:
        kept[..., -length:] *= np.linspace(1.0, 0.0, length, dtype=np.float32)
    missing = [(0, 0)] * (kept.ndim - 1) + [(0, wanted - kept.shape[-1])]
    return np.pad(kept, missing)


def resampled(samples: "Samples", rate: int, *, to: int | None) -> "tuple[Samples, int]":
    """The same sound at another rate, and that rate; as it was for None."""
    import av
    import numpy as np

    if to is None or to == rate:
        return samples, rate
    planes = np.ascontiguousarray(np.atleast_2d(samples))
    layout = "mono" if planes.shape[0] == 1 else "stereo"
    frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
    frame.sample_rate = rate
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=to)
    parts = [part.to_ndarray() for part in [*resampler.resample(frame), *resampler.resample(None)]]
    return np.concatenate(parts, axis=1).astype(np.float32), to


def unclipped(samples: "Samples") -> "Samples":
    """Turned down where it is louder than full scale, since clipping crackles."""
    import numpy as np

    peak = float(np.abs(samples).max(initial=0.0))
    return samples / peak if peak > 1.0 else samples
