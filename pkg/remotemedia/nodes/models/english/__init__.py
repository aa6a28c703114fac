"""English text to phonemes, as Kokoro and its small relatives are trained to hear it.

The rules are those of misaki 0.9.4 [1]_ (Apache-2.0) in the form that hibari-tts 0.2.1 [2]_
(Apache-2.0) gave them, with the tokens of spaCy [3]_ (MIT), written anew. All tables come with the
model: nothing is read from this package.

References
----------
.. [1] hexgrad, misaki, https://github.com/hexgrad/misaki
.. [2] M. Williams, hibari, https://github.com/MMWilliams/hibari
.. [3] ExplosionAI, spaCy, https://github.com/explosion/spaCy
"""
