"""What a detector may choose about models of the profile. Plain numbers: no kernels and no configuration."""

from dataclasses import dataclass

PLUGIN_TREES = 50
"""Trees of the plugin's forests."""

PLUGIN_SHINGLE = 8

N_MARGINS, N_DIRECTIONS = 4, 2


@dataclass(frozen=True)
class TrcfSettings:
    """Imputation and suppression, a number a feature.

    Attributes
    ----------
    fills
        Whether a row without any value is scored, with the filler instead.
    filler
        What stands in for a missing value; None = the last value.
    margin
        What is ignored: above and below the expected value in units of the feature, above and below as a share of
        the value; None = nothing.
    direction
        Whether alarms above, and below, the expected value are told; None = all.
    """

    fills: bool = False
    filler: tuple[float, ...] | None = None
    margin: tuple[tuple[float, ...], ...] | None = None
    direction: tuple[tuple[bool, ...], ...] | None = None

    def check(self, n_features: int) -> None:
        """Refuse settings of another number of features.

        Raises
        ------
        ValueError
            With the setting, what was expected and what was given.
        """
        wanted = {"filler": (n_features,), "margin": (n_features,) * N_MARGINS}
        wanted["direction"] = (n_features,) * N_DIRECTIONS
        for name, lengths in wanted.items():
            value = getattr(self, name)
            rows = () if value is None else (value,) if name == "filler" else value
            if value is not None and tuple(map(len, rows)) != lengths:
                msg = f"`{name}` must hold {len(lengths)} x {n_features} values, got {value}"
                raise ValueError(msg)
        if any(not number >= 0.0 for row in self.margin or () for number in row):
            msg = f"`margin` must not be negative, got {self.margin}"
            raise ValueError(msg)
