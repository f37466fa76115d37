"""A Mixtral small enough to run anywhere, with random weights: to try the recorder without a download."""

import importlib.util


def can_record():
    """Return whether torch and transformers are installed, which `record` needs.

    >>> can_record() in (True, False)
    True
    """
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers"))


def tiny_mixtral(*, seed=0, num_experts=8, k=2, layers=3, vocabulary=256):
    """Return a Mixtral with random weights, ready to run: no file is read and nothing is downloaded.

    Its ids are bytes where vocabulary is 256. An untrained router says nothing about trained ones.
    Raises ImportError without torch and transformers.
    """
    import torch
    from transformers import MixtralConfig, MixtralForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = MixtralConfig(vocab_size=vocabulary, hidden_size=32, intermediate_size=48,
                               num_hidden_layers=layers, num_attention_heads=4, num_key_value_heads=2,
                               num_local_experts=num_experts, num_experts_per_tok=k)
        return MixtralForCausalLM(config).eval()
