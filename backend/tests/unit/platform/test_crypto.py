"""Secrets at rest."""

import pytest
from cryptography.fernet import Fernet

from haechi.platform.crypto import SealBroken, Vault

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
MINE = {"user": "u1", "exchange": "bitget", "field": "secret"}


def test_what_was_sealed_opens_with_the_same_context_in_any_order():
    vault = Vault([OLD])
    sealed = vault.seal("비밀 key", MINE)
    assert vault.open(sealed, dict(reversed(MINE.items()))) == "비밀 key"
    assert "비밀" not in sealed


@pytest.mark.parametrize("other", [MINE | {"user": "u2"}, MINE | {"field": "passphrase"}, {"user": "u1"}])
def test_a_ciphertext_moved_to_another_row_is_refused(other):
    vault = Vault([OLD])
    with pytest.raises(SealBroken, match="another row"):
        vault.open(vault.seal("x", MINE), other)


def test_a_changed_ciphertext_is_refused():
    vault = Vault([OLD])
    sealed = vault.seal("x", MINE)
    changed = sealed[:-6] + ("A" if sealed[-6] != "A" else "B") + sealed[-5:]
    with pytest.raises(SealBroken, match="cannot be decrypted"):
        vault.open(changed, MINE)


def test_after_rotation_the_old_key_can_be_dropped_and_the_context_still_holds():
    sealed = Vault([OLD]).seal("x", MINE)
    with pytest.raises(SealBroken):
        Vault([NEW]).open(sealed, MINE)
    rotated = Vault([NEW, OLD]).rotate(sealed)
    assert Vault([NEW]).open(rotated, MINE) == "x"
    with pytest.raises(SealBroken, match="another row"):
        Vault([NEW]).open(rotated, MINE | {"user": "u2"})
