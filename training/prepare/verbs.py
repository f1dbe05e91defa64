"""Verbs that requests open with, and their gerunds."""

from __future__ import annotations

VERBS = frozenset(
    """activate add adjust aggregate allow alter analyze append apply arrange assign attach
    authenticate avoid backup block build bulk calculate call cancel capture change check
    choose clean clear clone close collapse combine commit compare compile compress compute
    concat concatenate configure connect construct control convert copy correct count create
    cut deactivate decode decompress decrease decrypt deploy describe design destroy detach
    detect determine disable disconnect display divide download draw drop dump duplicate edit
    eliminate enable encode encrypt enforce ensure enter erase establish evaluate exclude
    execute exit export extract fetch fill filter find fix flatten flush force format generate
    get give grab grant group handle hide highlight identify ignore implement import improve
    include increase increment initialize insert inspect install invoke iterate join keep kill
    launch limit link list load locate lock log loop make manage map mark match measure merge
    migrate minimize modify monitor mount move multiply normalize obtain omit open optimize
    order output overwrite paginate parse partition pass perform pick pipe pivot play populate
    prevent preview print process produce publish pull push put query randomize rank read
    rearrange reboot receive record recover redirect reduce refer reference refresh register
    release reload remove rename render reorder repair replace represent reset resize resolve
    restart restore restrict resume retrieve return reuse reverse rotate round run save scan
    schedule search select send separate set shift show shuffle shut simplify simulate skip
    sort specify speed split start stop store stream strip structure submit subtract sum
    summarize swap switch sync synchronize take terminate test toggle track transfer transform
    translate transpose trigger trim truncate turn undo uninstall unlock unmount unpivot unzip
    update upgrade upload use validate verify view wait watch wrap write zip""".split()
)
# One syllable, or stressed at the end: the last letter is doubled.
_DOUBLED = frozenset(
    """commit cut drop get grab log map omit plan plot put refer rip run scan set shut skip split
    stop strip submit swap tag transfer trim unzip wrap zip""".split()
)
_IRREGULAR = {"sum": "summing", "sync": "syncing", "see": "seeing"}


def gerund(verb: str) -> str:
    """``create`` as ``creating``."""
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    if verb in _DOUBLED:
        return verb + verb[-1] + "ing"
    if verb.endswith("e") and not verb.endswith(("ee", "ye", "oe")):
        return verb[:-1] + "ing"
    return verb + "ing"


BASE_OF = {gerund(verb): verb for verb in sorted(VERBS)}


def gerund_phrase(phrase: str) -> str:
    """The gerund of a phrase that opens with a verb: ``look up x`` as ``looking up x``."""
    verb, _, rest = phrase.partition(" ")
    return f"{gerund(verb)} {rest}".strip()
