"""How RocksDB is set up: every figure here bounds memory, the time of a restart, or the price of a queue's tombstones.

Measured with tools/measure_storage.py; the figures and their reasons are in docs/storage.md.
"""

from rocksdict import (
    BlockBasedOptions,
    Cache,
    DBCompressionType,
    DBRecoveryMode,
    Options,
    WriteBufferManager,
)

from tq.engine.tables import Table

MIB = 1 << 20
MEMTABLE_BYTES = 48 * MIB
"""Of all tables together. Also bounds the log that a restart replays, hence how long it takes."""
CACHE_BYTES = 48 * MIB
"""Blocks, indexes and filters; the memtables are charged to it too, so that both together stay below their sum."""
LOG_BYTES = 96 * MIB
"""A table whose rows keep older log alive than this is flushed."""
OPEN_FILES = 512

_LOOKED_UP = (Table.BODIES, Table.STATES, Table.KEYS)
_QUEUES = (Table.READY, Table.DUE, Table.LEASES, Table.DEAD)
_DELETION_WINDOW, _DELETIONS_MAX = 10_000, 5_000


class Tuning:
    """The options of one open database; its cache and memory bound are shared by all tables."""

    def __init__(self) -> None:
        self._cache = Cache.new_hyper_clock_cache(CACHE_BYTES, 16 << 10)
        self._buffers = WriteBufferManager(MEMTABLE_BYTES, False)

    def database(self, recovery: DBRecoveryMode, *, create: bool, add_tables: bool) -> Options:
        """What holds for all tables.

        Args:
            add_tables: make those that an older tq did not have.
        """
        options = Options(raw_mode=True)
        options.create_if_missing(create)
        options.create_missing_column_families(add_tables)
        options.set_wal_recovery_mode(recovery)
        options.set_paranoid_checks(True)
        options.set_recycle_log_file_num(0)  # a recycled log file cannot be opened with absolute consistency
        options.set_write_buffer_manager(self._buffers)
        options.set_max_total_wal_size(LOG_BYTES)
        options.set_max_open_files(OPEN_FILES)
        options.set_skip_stats_update_on_db_open(True)  # it reads every file
        options.set_max_background_jobs(2)
        options.set_bytes_per_sync(MIB)  # no burst of writeback in front of somebody's fsync
        options.set_max_manifest_file_size(16 * MIB)
        options.set_manifest_preallocation_size(64 << 10)
        options.set_keep_log_file_num(5)
        options.set_max_log_file_size(8 * MIB)
        options.set_stats_dump_period_sec(0)
        options.set_stats_persist_period_sec(0)
        return options

    def table(self, table: Table) -> Options:
        """What holds for one table."""
        options = Options(raw_mode=True)
        blocks = BlockBasedOptions()
        blocks.set_block_cache(self._cache)
        blocks.set_cache_index_and_filter_blocks(True)
        blocks.set_block_size(16 << 10)
        blocks.set_format_version(5)
        if table in _LOOKED_UP:
            blocks.set_bloom_filter(10, False)
        options.set_block_based_table_factory(blocks)
        options.set_write_buffer_size(32 * MIB if table is Table.BODIES else 16 * MIB)
        options.set_max_write_buffer_number(3)
        options.set_compression_type(DBCompressionType.lz4())
        if table is Table.BODIES:
            options.set_bottommost_compression_type(DBCompressionType.zstd())
        if table in _QUEUES:
            options.add_compact_on_deletion_collector_factory(_DELETION_WINDOW, _DELETIONS_MAX, 0.5)
        return options
