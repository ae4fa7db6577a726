/** An inbox, an outbox and positions in a database of yours, by kysely (a peer dependency): SQLite, MySQL, MariaDB and PostgreSQL. */
export {
  createInboxTable,
  createOutboxTables,
  createPositionsTable,
  inboxTableSql,
  outboxTablesSql,
  positionsTableSql,
} from './sql/tables.js'
export type { AnyKysely, AnyTransaction, SqlDialect, SqlOptions } from './sql/database.js'
export { sqlDedupe, type HandlerCallLike, type SqlDedupe, type SqlDedupeOptions } from './sql/sql-dedupe.js'
export {
  sqlOutbox,
  type HeldRow,
  type OutboxAddition,
  type OutboxAddOptions,
  type SqlOutbox,
  type SqlOutboxOptions,
} from './sql/sql-outbox.js'
export {
  sqlPositions,
  type ComingPartition,
  type SqlPositions,
  type SqlPositionsOptions,
  type TakeContext,
  type TakenPartition,
} from './sql/sql-positions.js'
export { FencedWriter } from './consumer/handling/fate.js'
export { insertNew } from './sql/insert-new.js'
export { isRefusedForGood } from './sql/refused-for-good.js'
