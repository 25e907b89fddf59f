"""The errors a user can cause, each of which becomes one line and exit code 2."""


class SitrepError(Exception):
    """Something outside the program is wrong; the message says where, what and what to do."""


class ConfigError(SitrepError):
    """A setting is unknown, of the wrong type or impossible."""


class DataError(SitrepError):
    """A labelled file, an article or a split cannot be used as it is."""


class TooManyRejectedError(DataError):
    """So many records of an input cannot be used that its result is not to be trusted."""


class ModelError(SitrepError):
    """A model cannot be built, trained, found or trusted."""
