"""Counts beside the classes of transformers with experts, built without memory on the meta device."""

import importlib.util
import json
import warnings
from unittest import mock

import pytest

import tiny_models
from moeviz.cost import ModelSpec, count_parameters
from moeviz.routing.families import find_family

if importlib.util.find_spec("transformers") is None:
    pytest.skip("transformers is not installed (requirements-traces.txt)", allow_module_level=True)

pytestmark = pytest.mark.slow
LEARNED = ("e_score_correction_bias", "expert_bias", "balancing_biases", "layer_scalar")
OTHER_COUNT = {  # what the class holds beside a decoder of text, or in another way
    "longcat_flash": "its class gives experts that do nothing the weights of the others",
    "nemo_speechlm": "speech", "unlimited_ocr": "a reader of pages",
    "deepseek_v2": "its configuration has no number of choices", "deepseek_ocr2": "as deepseek_v2",
}
PICTURES = ("vision", "visual", "audio", "image", "projector", "resampler")


def ours(config):
    """Count what the configuration says once it is saved and read again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        saved = json.loads(json.dumps(config.to_dict(), default=str))
        return count_parameters(ModelSpec.from_hf_config(saved)).total


def theirs(made, config):
    """Count the parameters of a class and the biases that it moves without a gradient; a head it may lack."""
    import torch

    with torch.device("meta"), mock.patch.object(torch.nn.Linear, "reset_parameters", lambda self: None):
        model = made(config)  # there are no numbers to draw
    text = config.get_text_config()
    total = sum(value.numel() for name, value in model.named_parameters()
                if not any(word in name for word in PICTURES))
    total += sum(value.numel() for name, value in model.named_buffers()
                 if name.endswith(LEARNED) and value.numel() > 1)
    tied = getattr(config, "tie_word_embeddings", getattr(text, "tie_word_embeddings", False))
    lacks_head = model.get_output_embeddings() is None and not tied
    return total + lacks_head * text.vocab_size * text.hidden_size


@pytest.mark.parametrize("kind", tiny_models.COUNTED)
def test_a_small_configuration_of_each_class_is_counted_to_the_last_digit(kind):
    config = tiny_models.tiny_config(kind)
    assert ours(config) == theirs(tiny_models.model_class(kind, config), config)


def test_the_defaults_of_every_class_with_experts_are_counted():
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    wrong, tried = {}, 0
    for kind in sorted(CONFIG_MAPPING):
        made = built(CONFIG_MAPPING[kind], kind)
        if made is None or kind in OTHER_COUNT:
            continue
        config, found = made
        tried += 1
        if ours(config) != pytest.approx(found, rel=1e-3):
            wrong[kind] = (ours(config), found)
    assert wrong == {} and tried >= 60, tried


def built(configuration, kind):
    """Return (the default configuration, the count of its class), or None where no experts can be counted."""
    try:
        config = configuration()
        if not experts(config.to_dict()) or find_family(config.get_text_config().to_dict()) is None:
            return None
        return config, theirs(tiny_models.model_class(kind, config), config)
    except Exception:  # defaults that cannot be built can raise nearly anything
        return None


def experts(fields):
    """Whether a field, at whatever depth, names several experts."""
    return any(experts(value) if isinstance(value, dict)
               else "expert" in str(name) and type(value) is int and value > 1
               for name, value in fields.items())
