"""WordScores: how much the latest 80 ms of a stream look like the end of each wake word."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from remotemedia.errors import ModelError
from remotemedia.nodes.models.model_node import Work

if TYPE_CHECKING:
    from remotemedia.models.backend import Model

RATE = 16000
FRAME = 1280
FRAME_MS = 80
CONTEXT = 480  # samples before a frame that its spectra need
MELS = 32
SPECTRA = 76  # that an embedding is of
STEP = 8  # spectra of a frame
VALUES = 96  # of an embedding
FULL_SCALE = 32768  # the models know samples of 16 bits
SILENT_MEL = -100 / 10 + 2  # the floor of the spectra, dB, scaled as all are
SILENT_AFTER = -(-SPECTRA // STEP)  # frames of silence: then an embedding is of nothing else


class Classifier:
    """The model of one wake word.

    Parameters
    ----------
    word : str
        What messages call it.
    model : Model

    Attributes
    ----------
    labels : dict of int to str
        Of its outputs, what each stands for. If there is one, it is the word; if there are several,
        the first stands for none of them, and the names of the others are in the model, or else
        they are numbered.

    Raises
    ------
    ModelError
        It is no classifier of openWakeWord.
    """

    def __init__(self, word: str, model: Model) -> None:
        self.word = word
        self.model = model
        info = model.inputs[0]
        given = model.outputs[0]
        if (
            len(model.inputs) != 1
            or len(info.shape) != 3
            or info.shape[2] != VALUES
            or not isinstance(info.shape[1], int)
            or len(given.shape) != 2
            or not isinstance(given.shape[1], int)
        ):
            raise ModelError(
                f"WakeWord: the model of {word!r} takes {info} and gives {given}; a "
                f"classifier of openWakeWord takes [1, embeddings, {VALUES}] and gives [1, classes]"
            )
        self.input, self.output = info.name, given.name
        self.window = info.shape[1]
        """Embeddings that it looks at."""
        self.labels = _labels(word, given.name, given.shape[1])


def _labels(word: str, name: str, classes: int) -> dict[int, str]:
    if classes == 1:
        return {0: word}
    try:
        named = json.loads(name)  # so says openWakeWord's `timer`
        return {int(index): str(label) for index, label in named.items() if int(index) < classes}
    except (ValueError, AttributeError):
        return {index: f"{word}_{index}" for index in range(1, classes)}


class WordScores:
    """Scores frame after frame of one stream.

    Spectra of 25 ms every 10 ms; of the last 76 of them an embedding, every 80 ms; of the last
    embeddings the score of each word. Before the stream there is silence. Where there has been
    nothing else for so long that models would give what they gave before, none is run.

    Parameters
    ----------
    spectra, embedding : Model
        What all words share.
    classifiers : list of Classifier
    """

    def __init__(self, spectra: Model, embedding: Model, classifiers: list[Classifier]) -> None:
        self._spectra, self._embedding = spectra, embedding
        self._classifiers = classifiers
        most = max(each.window for each in classifiers)
        # Two more: one that silence begins in, and one that spectra begin in before it.
        self.memory = (2 + SILENT_AFTER + most) * FRAME
        """Samples of silence after which nothing is known of what was before."""
        self._still = -1  # frames of silence so far; -1: the models have not run yet
        self._samples = np.zeros((1, CONTEXT + FRAME), np.float32)
        self._mels = np.full((1, SPECTRA, MELS, 1), SILENT_MEL, np.float32)
        self._silent: NDArray[Any] = np.zeros(VALUES, np.float32)  # the embedding of silence
        self._embeddings = np.zeros((most, VALUES), np.float32)
        self._found: list[NDArray[Any]] = []
        self._spectra_feeds: dict[str, NDArray[Any]] = {spectra.inputs[0].name: self._samples}
        self._embedding_feeds: dict[str, NDArray[Any]] = {embedding.inputs[0].name: self._mels}
        self._classifier_feeds: list[dict[str, NDArray[Any]]] = [
            {each.input: np.zeros((1, each.window, VALUES), np.float32)} for each in classifiers
        ]

    def push(self, frame: NDArray[np.float32]) -> Work[list[tuple[str, float]]]:
        """The score of each label, once this frame is over.

        Parameters
        ----------
        frame : np.ndarray [shape=(1280,), range ±1]
        """
        if self._still < 0:
            yield from self._begin()
        samples = self._samples
        samples[0, :CONTEXT] = samples[0, FRAME:]
        np.multiply(frame, FULL_SCALE, out=samples[0, CONTEXT:])
        self._still = 0 if samples.any() else self._still + 1
        mels = self._mels[0, :, :, 0]
        mels[:-STEP] = mels[STEP:]
        if self._still:
            mels[-STEP:] = SILENT_MEL
        else:
            outputs = yield self._spectra, self._spectra_feeds
            # As openWakeWord brings the ONNX file's spectra to the range of the original's.
            mels[-STEP:] = outputs[self._spectra.outputs[0].name][0, 0] / np.float32(10)
            mels[-STEP:] += np.float32(2)
        self._embeddings[:-1] = self._embeddings[1:]
        if self._still >= SILENT_AFTER:
            self._embeddings[-1] = self._silent
        else:
            self._embeddings[-1] = yield from self._embed()
        yield from self._classify()
        return [
            (label, float(found[index]))
            for each, found in zip(self._classifiers, self._found, strict=True)
            for index, label in each.labels.items()
        ]

    def _begin(self) -> Work[None]:
        """There has been silence for long."""
        self._silent = yield from self._embed()
        self._embeddings[:] = self._silent
        self._still = 0
        self._found = [np.zeros(0)] * len(self._classifiers)
        yield from self._classify()
        self._still = self.memory // FRAME

    def _embed(self) -> Work[NDArray[Any]]:
        outputs = yield self._embedding, self._embedding_feeds
        return outputs[self._embedding.outputs[0].name].reshape(-1)

    def _classify(self) -> Work[None]:
        for number, each in enumerate(self._classifiers):
            if self._still >= SILENT_AFTER + each.window:
                continue
            feeds = self._classifier_feeds[number]
            feeds[each.input][0] = self._embeddings[-each.window :]
            outputs = yield each.model, feeds
            self._found[number] = outputs[each.output][0]
