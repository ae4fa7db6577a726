/** An inbox and an outbox in a database of yours, by kysely (a peer dependency): SQLite, MySQL, MariaDB and PostgreSQL. */
export { createInboxTable, createOutboxTables, inboxTableSql, outboxTablesSql } from './sql/tables.js'
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
