"""Pictures in tar files (shards), for data beyond one disk: written by `ppcls pack`, read through webdataset."""

from ppcls.data.shards.manifest import ShardList, open_shards
from ppcls.data.shards.reader import ShardReader

__all__ = ["ShardList", "ShardReader", "open_shards"]
