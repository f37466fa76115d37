"""Hugging Face config.json -> the dictionary of `moeviz.cost.schema`.

What a file may leave out, and how its fields are spelled, stands in the table of `moeviz.routing.families`;
what the fields mean for the shapes of the layers stands in `moeviz.cost.layouts`, `latents` and `hybrids`.
A vision tower and heads that predict further tokens (MTP) are left out.
"""

import re
import warnings

from moeviz.cost.hybrids import HYBRIDS
from moeviz.cost.latents import LATENTS
from moeviz.cost.layouts import LAYOUTS
from moeviz.routing.families import read_config, usual_name

SUSPECT = re.compile(r"expert|shared|moe|lora|index|mtp|bias|rank|latent|loop_num", re.IGNORECASE)
HARMLESS = re.compile(  # no parameters: training, routing, seats, and the heads that are left out
    r"^(router_|output_router|moe_(eval|train|min|token|drop|random|jitter|loss|router_(?!extra)|norm|aux|z_loss)"
    r"|num_nextn|num_mtp|use_mtp|mtp_|.*token_(id|index|offset)s?$|.*_eps$|.*loss|.*capacity|.*dropout"
    r"|shared_expert_sink|norm_expert|use_moe$|group_norm|moe_(gate$|use_aux|multimodal)|rms_norm_|group_limited|index_(local|kpool_)|second_expert|.*overlap|.*combination|use_grouped|norm_topk|n_group|topk|scoring|routed_scaling|enable_moe_fp32|shared_moe_mode"
    r"|ep_size|expert_(dtype|parallel|layer_)|enable_expert_tensor|indexer_rope|qk_head_dim|use_gemma_norm)")


def fields_from_config(config):
    """Return the fields for `ModelSpec.from_dict` that a config.json, read as a dictionary, gives.

    Warns (UserWarning) of fields that nobody read and that look as if they carried parameters. Raises
    ValueError for an unknown family (naming the nearest), for a field that the family needs and the config
    lacks, and for a setting whose parameters are not known here.

    >>> fields_from_config({"model_type": "mixtral", "num_local_experts": None})
    Traceback (most recent call last):
    ValueError: config.json of type 'mixtral' lacks the field 'num_local_experts'
    """
    config = read_config(config)
    layout = (LAYOUTS | LATENTS | HYBRIDS).get(config.family["layout"])
    if layout is None:
        raise ValueError(f"the layers of type {config.kind!r} are not counted here, only its router is known")
    fields = layout(config)
    unread = [name for name in config.unread()
              if SUSPECT.search(name) and not HARMLESS.match(name) and not HARMLESS.match(usual_name(name))]
    if unread:
        warnings.warn(f"config.json of type {config.kind!r}: {', '.join(sorted(unread))} not read here; "
                      f"the count may lack what they carry", stacklevel=4)
    return fields
