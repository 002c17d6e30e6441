"""Environment variables that were meant for us and are misspelt: nothing else would notice them."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from detector.check.finding import Finding, ok, warning
from detector.configuration.near_miss import near_miss

OWN_PREFIX = "OUTRIDER_"
SHARED_PREFIX = "OPENSEARCH_"

OF_THE_SERVER = (
    "OPENSEARCH_HOME",
    "OPENSEARCH_HOSTS",
    "OPENSEARCH_INITIAL_ADMIN_PASSWORD",
    "OPENSEARCH_JAVA_HOME",
    "OPENSEARCH_JAVA_OPTS",
    "OPENSEARCH_PATH_CONF",
    "OPENSEARCH_TMPDIR",
    "OPENSEARCH_VERSION",
)
"""Variables of the search engine, its dashboards and our compose file: their prefix is not ours alone."""

LIKENESS = 0.85


def check_environment(names: Iterable[str], known: Sequence[str]) -> list[Finding]:
    """Say which variables nobody reads.

    Parameters
    ----------
    names
        Names of all environment variables.
    known
        Those that we read.
    """
    unread = sorted({name for name in names if name not in known})
    findings = []
    for name in unread:
        if name.startswith(OWN_PREFIX):
            hint = near_miss(name, known) or f"known are {', '.join(known)}"
            findings.append(warning(("environment", name), f"nobody reads this variable: {hint}"))
        elif name.startswith(SHARED_PREFIX) and name not in OF_THE_SERVER:
            near = get_close_matches(name, known, n=1, cutoff=LIKENESS)
            if near:
                findings.append(
                    warning(("environment", name), f"we do not read this variable: did you mean `{near[0]}`?")
                )
    return findings or [ok(("environment",), "every variable with our prefixes is one that is read")]
