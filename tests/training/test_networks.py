"""The networks: each that a recipe may name is built, and has the shape that reading expects."""

import numpy as np
import pytest

from worker.training import networks
from worker.training.recipes import ARCHITECTURES


def test_a_recipe_names_every_network_and_no_other():
    assert set(ARCHITECTURES) == set(networks.BUILDERS)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_untrained_network_gives_probabilities_of_eleven_classes(architecture):
    network = networks.build(architecture)
    assert network.name == architecture
    assert network.layers[-1].name == networks.LAST_LAYER
    shares = np.asarray(network(np.random.default_rng(1).random((3, 28, 28, 1), np.float32)))
    assert shares.shape == (3, networks.CLASSES)
    assert shares.sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_it_refuses_a_network_that_there_is_not():
    with pytest.raises(ValueError, match="rnn"):
        networks.build("rnn")
