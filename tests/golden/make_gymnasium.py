# Writes gymnasium.safetensors: trajectories of CartPole-v1, MountainCar-v0 and FrozenLake-v1 from given states, in float64, as
# Gymnasium computes them; of FrozenLake all transitions. pip install gymnasium numpy safetensors (1.4.0 was used).
# tests/environments_test.cpp reads it.
# SPDX-License-Identifier: Apache-2.0
import pathlib

import gymnasium
import numpy as np
from safetensors.numpy import save_file

random = np.random.default_rng(7)
tensors = {}


def trajectories(name, environment, begin, episodes, steps, policy):
    """Of each episode the state before each step, the action, the state behind it, the reward and whether it terminated."""
    rows = {"before": [], "action": [], "after": [], "reward": [], "terminated": [], "first": []}
    for _ in range(episodes):
        environment.reset(seed=0)
        environment.unwrapped.state = np.array(begin())
        environment.unwrapped.steps_beyond_terminated = None
        for step in range(steps):
            before = np.array(environment.unwrapped.state, np.float64)
            action = policy(before)
            _, reward, terminated, _, _ = environment.step(action)
            rows["before"].append(before)
            rows["action"].append(action)
            rows["after"].append(np.array(environment.unwrapped.state, np.float64))
            rows["reward"].append(float(reward))
            rows["terminated"].append(int(terminated))
            rows["first"].append(int(step == 0))
            if terminated:
                break
    for key, values in rows.items():
        dtype = np.int64 if key in ("action", "terminated", "first") else np.float64
        tensors[f"{name}/{key}"] = np.array(values, dtype)


def balancing(state):
    """Keeps the pole up for a while, with mistakes."""
    wanted = int(state[2] + 0.3 * state[3] + 0.02 * state[0] + 0.05 * state[1] > 0)
    return wanted if random.uniform() < 0.9 else int(random.integers(2))


def swinging(state):
    """Pushes where it goes, mostly."""
    wanted = 2 if state[1] >= 0 else 0
    return wanted if random.uniform() < 0.8 else int(random.integers(3))


trajectories("cart_pole", gymnasium.make("CartPole-v1", max_episode_steps=10**6), lambda: random.uniform(-0.05, 0.05, 4), 2,
             300, balancing)
trajectories("cart_pole_anywhere", gymnasium.make("CartPole-v1"),
             lambda: random.uniform([-2.3, -3, -0.2, -3], [2.3, 3, 0.2, 3]), 20, 10, lambda _: int(random.integers(2)))
trajectories("mountain_car", gymnasium.make("MountainCar-v0", max_episode_steps=10**6),
             lambda: [random.uniform(-0.6, -0.4), 0.0], 2, 300, swinging)
trajectories("mountain_car_anywhere", gymnasium.make("MountainCar-v0"),
             lambda: random.uniform([-1.2, -0.07], [0.6, 0.07]), 20, 10, lambda _: int(random.integers(3)))

for size, rows, columns in ((4, 4, 4), (8, 8, 8)):
    for slippery in (False, True) if size == 4 else (False,):
        lake = gymnasium.make("FrozenLake-v1", map_name=f"{size}x{size}", is_slippery=slippery).unwrapped
        table = [(cell, action, probability, after, reward, int(terminated))
                 for cell, actions in lake.P.items() if lake.desc.reshape(-1)[cell] in b"SF"
                 for action, outcomes in actions.items() for probability, after, reward, terminated in outcomes]
        tensors[f"frozen_lake_{size}_{'slippery' if slippery else 'firm'}"] = np.array(table, np.float64)
        tensors[f"frozen_lake_{size}_map"] = lake.desc.view(np.uint8).reshape(rows, columns).copy()

save_file(tensors, pathlib.Path(__file__).parent / "gymnasium.safetensors", {"made_with": f"gymnasium {gymnasium.__version__}"})
