"""One file a sub-command of `outrider`; the only modules of the app that build stores."""
