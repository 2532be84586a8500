# Writes scikit_learn.safetensors: updates of scikit-learn's BernoulliRBM with the draws that glia::Rbm makes, its data set of
# digits, and how likely machines that it trained think them. pip install numpy safetensors scikit-learn.
# tests/golden_rbm_test.cpp reads it.
# SPDX-License-Identifier: Apache-2.0
import pathlib

import numpy as np
from safetensors.numpy import save_file
from sklearn.datasets import load_digits
from sklearn.neural_network import BernoulliRBM

PURPOSE = 3  # of draws in a step: include/glia/math/philox.h
SEED, VISIBLE, HIDDEN, BATCH, STEPS = 11, 12, 9, 10, 4
SEEDS = 5  # of machines that learn digits


def philox(key, counter):
    """Philox4x32-10 (Salmon et al. 2011) of counters (n, 4)."""
    counter = counter.astype(np.uint64)
    key = [np.uint64(key & 0xFFFFFFFF), np.uint64(key >> 32)]
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        first, second = np.uint64(0xD2511F53) * counter[:, 0], np.uint64(0xCD9E8D57) * counter[:, 2]
        counter = np.stack([(second >> shift) ^ counter[:, 1] ^ key[0], second & low,
                            (first >> shift) ^ counter[:, 3] ^ key[1], first & low], axis=1)
        key = [(key[0] + np.uint64(0x9E3779B9)) & low, (key[1] + np.uint64(0xBB67AE85)) & low]
    return counter


class Draws:
    """In place of a RandomState: the uniform numbers of an update, of which each call takes those of the next draw."""

    def __init__(self, step):
        self.step, self.draw = step, 0

    def uniform(self, size):
        self.draw += 1
        key = SEED ^ (0x9E3779B97F4A7C15 * self.draw & 0xFFFFFFFFFFFFFFFF)
        count = int(np.prod(size))
        counters = np.zeros(((count + 3) // 4, 4))
        counters[:, 0], counters[:, 1], counters[:, 2] = np.arange(len(counters)), PURPOSE << 8, self.step
        words = philox(key, counters).reshape(-1)[:count]
        return ((words >> np.uint64(8)).astype(np.float64) / 2**24).reshape(size)


def updates():
    random = np.random.RandomState(5)
    x = (random.uniform(size=(STEPS * BATCH, VISIBLE)) < 0.4).astype(np.float64)
    rbm = BernoulliRBM(n_components=HIDDEN, learning_rate=0.1, batch_size=BATCH)
    rbm.components_ = random.normal(0, 0.5, (HIDDEN, VISIBLE))
    rbm.intercept_hidden_, rbm.intercept_visible_ = random.normal(0, 0.5, HIDDEN), random.normal(0, 0.5, VISIBLE)
    rbm.h_samples_ = np.zeros((BATCH, HIDDEN))
    result = {"updates/x": x, **weights("updates/before", rbm)}
    for step in range(STEPS):
        rbm._fit(x[step * BATCH:(step + 1) * BATCH], Draws(step + 1))
    return {**result, **weights("updates/after", rbm), "updates/transformed": rbm.transform(x),
            "updates/free_energy": rbm._free_energy(x)}


def weights(name, rbm):
    return {f"{name}/0": rbm.components_.T.copy(), f"{name}/1": rbm.intercept_hidden_.copy(),
            f"{name}/2": rbm.intercept_visible_.copy()}


def pseudo_likelihood(rbm, x):
    """The mean of the sums over i of log p(x_i | the others), of every unit where score_samples flips one."""
    total = 0
    for i in range(x.shape[1]):
        flipped = x.copy()
        flipped[:, i] = 1 - flipped[:, i]
        total -= np.logaddexp(0, rbm._free_energy(x) - rbm._free_energy(flipped)).mean()
    return total


def digits():
    images = load_digits().images.reshape(-1, 64)
    x, likelihoods = images / 16, []
    for seed in range(SEEDS):
        rbm = BernoulliRBM(n_components=64, learning_rate=0.05, batch_size=10, n_iter=10, random_state=seed).fit(x)
        likelihoods.append(pseudo_likelihood(rbm, x))
    print("pseudo-likelihoods of digits:", likelihoods)
    return {"digits/images": images.astype(np.uint8), "digits/pseudo_likelihood": np.array(likelihoods)}


save_file({**updates(), **digits()}, pathlib.Path(__file__).with_name("scikit_learn.safetensors"))
