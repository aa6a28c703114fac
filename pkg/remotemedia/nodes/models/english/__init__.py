"""English text to phonemes, as Kokoro and its small relatives are trained to hear it.

The rules are those of misaki 0.9.4 [1]_ in the form that hibari-tts 0.2.1 [2]_ gave them, with the
tokens of spaCy [3]_, written anew: smaller, typed, bounded in time, and without their failures on
odd text. All tables come with the model: nothing is read from this package.

References
----------
.. [1] misaki, by hexgrad, https://github.com/hexgrad/misaki, Apache-2.0.
.. [2] hibari, copyright 2026 Maureese Williams, https://github.com/MMWilliams/hibari, Apache-2.0.
.. [3] spaCy, copyright ExplosionAI GmbH, https://github.com/explosion/spaCy, MIT.
"""
