"""Every attack by its name.

Their texts share no generator, template or table with what classifiers are fitted on or detection is measured on:
an attack in the words of the defence would flatter it.
"""

from __future__ import annotations

from eval.attacks import context, conversation, encoding, form, jailbreak, rewording
from eval.attacks.attack import Attack

ATTACKS: dict[str, Attack] = {
    attack.name: attack
    for family in (rewording, context, jailbreak, form, encoding, conversation)
    for attack in family.ATTACKS
}
