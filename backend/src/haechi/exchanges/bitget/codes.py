"""Every error code of Bitget's futures list: what kind of no it is, and the house's word for it (port.Rejected.reason).

The kinds decide what may be done next; the words are what a bot's log and its engine see, the same ones the simulated exchange uses.
A code that is not here is no evidence of anything: for a write its outcome is unknown.
"""

from __future__ import annotations

from typing import NamedTuple

from haechi.exchanges.errors import Kind

__all__ = ["MEANINGS", "SUCCESS", "TABLE", "UNMAPPED", "Kind", "Meaning", "meaning"]


class Meaning(NamedTuple):
    kind: Kind
    word: str


# kind, word, codes
TABLE: tuple[tuple[Kind, str, str], ...] = (
    # ---- auth, time, permission
    (Kind.KEY, "key", "40001 40002 40003 40006 40009 40011 40012 40013 40014 40018 40024 40036 40037 40038 40040 40101 40199"),
    (Kind.KEY, "account_mode", "40085 25245"),  # 25245: the question for unified settings, asked of a classic account
    (Kind.KEY, "demo", "40110 22030"),
    (Kind.CLOCK, "clock", "40005 40008 40078 40079"),
    # ---- rate, system
    (Kind.RATE, "rate", "403 429 70228 45129"),  # 403 and 429: the gate (answers.py)
    (Kind.UNKNOWN, "unknown", "40010 40015 40725 40910 45001"),
    (Kind.RETRY, "busy", "40908"),
    (Kind.MAINTENANCE, "maintenance", "40200 40844 41114 43115 45043"),
    # ---- parameters
    (Kind.GIVE_UP, "parameter", "40007 40017 40019 40020 40034 40053 40054 40064 00171 00172 40306 40402 40404 40409 40704 40705 40707 "
     "40912 40913 40924 40925 41103 43011 00001 22003 22011 22042 40895 43032 45047 45051"),
    (Kind.GIVE_UP, "client_id", "40304"),
    # ---- funds
    (Kind.FUNDS, "margin", "40754 40762 40798 40800 40893 43012 45002 45120 45123 40826 45121 40928"),
    # ---- steps and smallest sizes
    (Kind.PRECISION, "precision", "22038 40808 43028 45035 45115"),
    (Kind.PRECISION, "below_minimum", "22034 43006 43010 43027 43037 45110 45111 45114"),
    # ---- limits
    (Kind.LIMITS, "too_large", "43007 43038 45112 45113 40921"),
    (Kind.LIMITS, "too_many_orders", "40715 40723 40761 43005 45118 40889 40890 43071"),
    (Kind.LIMITS, "too_many_positions", "45116"),
    (Kind.LIMITS, "price", "22006 22007 22008 22009 40706 40748 40815 40816 40820 40821 43008 43009 43039 43040"),
    (Kind.LIMITS, "no_liquidity", "22045"),
    # ---- order lookup, cancel, modify
    (Kind.NOT_FOUND, "no_order", "22001 31007 40109 40768 40819 43001 43004 43020 43021 43025 43026 43033 45031 45055 45057"),
    (Kind.GIVE_UP, "not_modifiable", "40922 45056 45127 45128"),
    (Kind.UNCHANGED, "unchanged", "40923"),
    (Kind.DUPLICATE, "duplicate", "45034 43118 40786"),  # 40786: from memory, on no list
    # ---- reduce-only, close
    (Kind.POSITION, "no_position", "22002 40717 40746 40755 40757 40758 40804 40939 43023 43029 43043 45003 45005 45006 45014 45068 "
     "40837 40891"),
    (Kind.RETRY, "deleveraging", "22043 22044 22067 40879 40880"),
    # ---- triggers
    (Kind.TRIGGER, "trigger", "31004 31005 40829 40830 40831 40832 40833 40834 40835 40836 40915 40917 43013 43014 43015 43016 43034 43035 "
     "45052 45060 45061 45062 45064 45065 45066 45067 45122"),
    (Kind.LIMITS, "stop_exists", "43030 43031"),
    # ---- leverage, margin mode, position mode
    (Kind.MODE, "mode", "40774 43075 45021 45109 22005 40716 40874 40875 45099 45100 45101"),
    (Kind.MODE, "position_open", "40730 40872 40920 45097 45117 22020"),
    (Kind.MODE, "leverage", "40869 40903 40914 43050 45044 45045"),
    (Kind.UNCHANGED, "unchanged", "40814 45054"),
    # ---- symbol state
    (Kind.SYMBOL, "symbol", "40072 40102 22004 40309 40822 40823 40845 41113"),
    (Kind.SYMBOL, "closed", "22039 22040 22041 43119 43120 45119"),
    # ---- WebSocket
    (Kind.GIVE_UP, "channel", "30001 30002 30003 30016"),
    (Kind.KEY, "key", "30005 30011 30012 30015"),
    (Kind.CLOCK, "clock", "30013 30014"),
    (Kind.RETRY, "login", "30004"),
    (Kind.RATE, "rate", "30006 30007"),
)

MEANINGS: dict[str, Meaning] = {code: Meaning(kind, word) for kind, word, codes in TABLE for code in codes.split()}
SUCCESS = "00000"
UNMAPPED = Meaning(Kind.UNKNOWN, "unknown")


def meaning(code: str) -> Meaning:
    return MEANINGS.get(code, UNMAPPED)
