"""ChannelMix: more or fewer channels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar, cast

import msgspec
import numpy as np

from remotemedia.caps import Caps, Constraint, Exact, Format, parse_caps
from remotemedia.data import Audio
from remotemedia.errors import DataError, ParamsError
from remotemedia.node import INPUT, ConversionCost, NodeParams
from remotemedia.nodes.audio.converter import Converter

MAX_CHANNELS = 64
_COST_US = 250.0  # per second of audio in 20 ms blocks (bench/negotiation.py)
HALF_POWER = math.sqrt(0.5)

LAYOUTS = {
    1: ("C",),
    2: ("L", "R"),
    3: ("L", "R", "C"),
    4: ("L", "R", "Ls", "Rs"),
    5: ("L", "R", "C", "Ls", "Rs"),
    6: ("L", "R", "C", "LFE", "Ls", "Rs"),
    7: ("L", "R", "C", "LFE", "Cs", "Ls", "Rs"),
    8: ("L", "R", "C", "LFE", "Lb", "Rb", "Ls", "Rs"),
}
"""Number of channels → their positions, in the order of WAVE files."""

FOLDS: dict[str, tuple[str, ...]] = {
    "LFE": (),
    "Lb": ("Ls",),
    "Rb": ("Rs",),
    "Cs": ("Ls", "Rs"),
    "Ls": ("L",),
    "Rs": ("R",),
    "C": ("L", "R"),
    "L": ("C",),
    "R": ("C",),
}
"""A channel that the output lacks → those that take it over, 3 dB lower each."""

Matrix = list[list[float]]
"""One row per output channel, one column per input channel."""


class ChannelMix(Converter):
    """Changes the number of channels, by the downmix of ITU-R BS.775 or a matrix of your own.

    Channels are in the order of WAVE files::

        1 C   2 L R   3 L R C   4 L R Ls Rs   5 L R C Ls Rs   6 L R C LFE Ls Rs
        7 L R C LFE Cs Ls Rs   8 L R C LFE Lb Rb Ls Rs

    A channel that the output has too is kept. One that it lacks goes to its neighbours at -3 dB:
    back to side, side to front, centre to left and right, left and right to mono; so 5.1 to stereo
    is ``L + 0.71 C + 0.71 Ls`` and 5.1 to mono ``0.71 (L + R) + C + 0.5 (Ls + Rs)``, as in
    BS.775-3, annex 4. LFE is left out. Mono goes to the centre, or to left and right in full where
    there is none; every other channel that the input lacks is silent. Beyond 8 channels positions
    are unknown: mono is then the mean, else channels keep their number and the rest is dropped.

    `normalize` scales the whole matrix down so that no output can exceed the input's peak: stereo
    to mono becomes ``0.5 (L + R)``. Without it, and with a `matrix`, samples may go beyond ±1;
    nothing is clipped here.

    Input cases. As many channels in as out: the block is handed on as it is. The number of input
    channels may change at any time. Results are bit-equal in every world. Latency: none.

    References
    ----------
    Recommendation ITU-R BS.775-3, "Multichannel stereophonic sound system with and without
    accompanying picture", annex 4, table 2.

    Examples
    --------
    ::

        - {id: mono, node_type: ChannelMix, params: {channels: 1}}
        - {id: swap, node_type: ChannelMix, params: {channels: 2, matrix: [[0, 1], [1, 0]]}}
    """

    class Params(NodeParams, frozen=True):
        channels: Annotated[
            int,
            msgspec.Meta(ge=1, le=MAX_CHANNELS, description="Number of output channels."),
        ] = 1
        normalize: Annotated[
            bool, msgspec.Meta(description="Scale down so that the output cannot exceed the input.")
        ] = True
        matrix: (
            Annotated[
                list[
                    Annotated[
                        list[Annotated[float, msgspec.Meta(ge=-1000, le=1000)]],
                        msgspec.Meta(min_length=1, max_length=MAX_CHANNELS),
                    ]
                ],
                msgspec.Meta(
                    min_length=1,
                    max_length=MAX_CHANNELS,
                    description="Own coefficients, a row per output channel; used as they are.",
                ),
            ]
            | None
        ) = None

    input_caps = f"audio(channels=1..{MAX_CHANNELS}, format=F32)"
    output_caps = f"audio(channels=1..{MAX_CHANNELS}, format=F32)"
    converts: ClassVar[Mapping[str, str]] = {"channels": "channels"}
    aliases: ClassVar[Mapping[str, str]] = {
        "output_channels": "channels",
        "target_channels": "channels",
    }

    params: Params

    def __init__(self, params: NodeParams | None = None, **fields: object) -> None:
        super().__init__(params, **fields)
        own = self.params.matrix
        if own is not None:
            if len(own) != self.params.channels:
                raise ParamsError(
                    f"ChannelMix: matrix has {len(own)} rows, but channels is "
                    f"{self.params.channels}: give one row per output channel"
                )
            if len({len(row) for row in own}) != 1:
                raise ParamsError(
                    f"ChannelMix: rows of matrix have {[len(row) for row in own]} coefficients: "
                    "give each one per input channel"
                )
        self._mixes: dict[int, list[_Row] | None] = {}

    @classmethod
    def input_ports(cls, params: NodeParams) -> dict[str, Caps]:
        """Any number of channels, or that of the matrix."""
        own = cast("ChannelMix.Params", params).matrix
        channels = f"1..{MAX_CHANNELS}" if own is None else str(len(own[0]))
        return {INPUT: parse_caps(f"audio(channels={channels}, format=F32)")}

    @classmethod
    def sets(cls, params: NodeParams) -> Mapping[str, Constraint]:
        """The number of channels asked for."""
        return {"channels": Exact(cast("ChannelMix.Params", params).channels)}

    @classmethod
    def conversion_cost(cls, params: NodeParams, given: Format, made: Format) -> ConversionCost:
        """A product and a sum per sample."""
        channels = max(given.number("channels") or 1, made.number("channels") or 1)
        return ConversionCost(_COST_US * channels / 2, 0.0, "by ITU-R BS.775")

    def process(self, audio: Audio) -> Audio:
        """The block with other channels."""
        channels = audio.channels
        if channels not in self._mixes:
            self._mixes[channels] = self._mix(channels)
        mix = self._mixes[channels]
        if mix is None:
            return audio
        samples = audio.samples
        out = np.zeros((len(mix), audio.frames), np.float32)
        # Channel by channel: a product and a sum per sample in this order, in every world.
        for row, terms in zip(out, mix, strict=True):
            for column, factor in terms:
                row += samples[column] if factor == 1 else samples[column] * factor
        return audio.with_samples(out)

    def _mix(self, channels: int) -> list[_Row] | None:
        """The terms of each output channel; None where nothing is to be done."""
        matrix = self.params.matrix
        if matrix is None:
            if channels == self.params.channels:
                return None
            matrix = mix_matrix(channels, self.params.channels)
            if self.params.normalize:
                matrix = normalized(matrix)
        elif channels != len(matrix[0]):
            raise DataError(
                f"ChannelMix: matrix has {len(matrix[0])} coefficients per row, "
                f"but the audio has {channels} channels"
            )
        return [
            [(column, np.float32(factor)) for column, factor in enumerate(row) if factor]
            for row in matrix
        ]


_Row = list[tuple[int, np.float32]]


def mix_matrix(source: int, target: int) -> Matrix:
    """Coefficients by the rules of `ChannelMix`, from so many channels to so many."""
    matrix = [[0.0] * source for _ in range(target)]
    if source not in LAYOUTS or target not in LAYOUTS:
        if target == 1:
            return [[1 / source] * source]
        for channel in range(min(source, target)):
            matrix[channel][channel] = 1.0
        return matrix
    positions = LAYOUTS[target]
    for column, position in enumerate(LAYOUTS[source]):
        if source == 1 and "C" not in positions:
            shares = {"L": 1.0, "R": 1.0}
        else:
            shares = _fold(position, positions)
        for name, share in shares.items():
            matrix[positions.index(name)][column] = share
    return matrix


def normalized(matrix: Matrix) -> Matrix:
    """The matrix scaled down until the coefficients of no row add up to more than 1."""
    peak = max(math.fsum(map(abs, row)) for row in matrix)
    return [[factor / peak for factor in row] for row in matrix] if peak > 1 else matrix


def _fold(position: str, positions: tuple[str, ...]) -> dict[str, float]:
    """Where a channel goes, and how much of it."""
    shares = {position: 1.0}
    while missing := [name for name in shares if name not in positions]:
        for name in missing:
            share = shares.pop(name)
            for heir in FOLDS[name]:
                shares[heir] = shares.get(heir, 0.0) + share * HALF_POWER
    return shares
