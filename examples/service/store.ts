import { rmSync } from 'node:fs'
import sqlite from 'node-sqlite3-wasm'

export type Store = ReturnType<typeof openStore>

/** Bills in a file that one process owns. */
export function openStore(path: string) {
  // A process that was killed leaves its lock behind.
  if (path !== ':memory:') rmSync(`${path}.lock`, { recursive: true, force: true })
  const db = new sqlite.Database(path)
  db.run('create table if not exists bill (id text primary key, customer text not null, cents integer not null)')
  return {
    transaction(work: () => void): void {
      db.run('begin')
      try {
        work()
        db.run('commit')
      } catch (error) {
        db.run('rollback')
        throw error
      }
    },
    /** The key makes it repeatable: an order that comes twice is billed once. */
    bill({ id, customer, cents }: { readonly id: string; readonly customer: string; readonly cents: number }): void {
      db.run('insert or ignore into bill values (?, ?, ?)', [id, customer, cents])
    },
    total(customer: string): { readonly orders: number; readonly cents: number } {
      const row = db.get('select count(*) as n, coalesce(sum(cents), 0) as cents from bill where customer = ?', [
        customer,
      ])
      return { orders: Number(row?.['n']), cents: Number(row?.['cents']) }
    },
    close: () => db.close(),
  }
}
