"""The errors a person may see: each message is a sentence that says what was wrong and what to do."""


class PoolFormerError(Exception):
    """Base of every error whose message is meant for the person at the screen; never a bug's traceback."""


class ConfigError(PoolFormerError, ValueError):
    """A configuration that cannot be built; the message names the field, the value and what is allowed."""


class ImageError(PoolFormerError, ValueError):
    """A file or array that is not a picture this project accepts."""


class WeightsError(PoolFormerError):
    """A checkpoint that cannot be found, fetched, read or fitted to its network."""


class UnknownVariantError(WeightsError, ValueError):
    """A name that is neither a row of the variant table nor a folder with a checkpoint."""


class HubUnreachableError(WeightsError):
    """The Hub could not be reached, so a checkpoint that is not in the cache cannot be fetched now."""


class CancelledError(PoolFormerError):
    """Work that nobody waits for any more: whoever asked has left."""
