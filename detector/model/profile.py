"""Which kind of models a detector's settings ask for."""

from detector.model.fleet import Fleet, ModelSettings


def open_fleet(settings: ModelSettings) -> Fleet:
    """Return an empty fleet of the kind that the settings ask for."""
    if settings.trcf is None:
        return Fleet(settings)
    # Loading these kernels takes a while, and most sidecars have no detector of the kind.
    from detector.model.trcf.arena import TrcfFleet  # noqa: PLC0415

    return TrcfFleet(settings)
