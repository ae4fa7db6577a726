import { randomUUID } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'

/**
 * Makes this process the one owner of a database file, or throws while another living process has it. A dead owner, as
 * kill -9 leaves one behind, is replaced. Returns the function that gives the ownership up.
 */
export function takeOwnership(database: string): () => void {
  const path = `${database}.owner`
  const mine = JSON.stringify({ pid: process.pid, startTick: stat(process.pid)?.startTick ?? '' })
  for (;;) {
    if (attempt('EEXIST', () => (writeFileSync(path, mine, { flag: 'wx' }), true)))
      return () => rmSync(path, { force: true })
    const text = attempt('ENOENT', () => readFileSync(path, 'utf8'))
    if (text === null) continue
    const pid = livingOwner(text)
    if (pid !== null) throw inUse(database, pid)
    removeDead(path, text)
  }
}

function inUse(database: string, pid: number): Error {
  return new Error(
    `expected to be the only process that opens ${database}, but process ${pid} has it open; ` +
      `stop that process, or choose another folder with --data-dir`,
  )
}

/**
 * Two processes may find the same dead owner. Only one can rename its file away; and if what it got is not what it
 * judged dead, another was faster and its file goes back.
 */
function removeDead(path: string, judgedDead: string): void {
  const aside = `${path}.${randomUUID()}`
  if (attempt('ENOENT', () => (renameSync(path, aside), true)) === null) return
  if (readFileSync(aside, 'utf8') === judgedDead) rmSync(aside)
  else renameSync(aside, path)
}

/** The number of the process that owns the file and lives; a later process may have the number of a dead one. */
function livingOwner(text: string): number | null {
  let owner: { readonly pid?: unknown; readonly startTick?: unknown }
  try {
    owner = JSON.parse(text) as typeof owner
  } catch {
    return null // cut short, by a process that died while it wrote its name
  }
  if (typeof owner.pid !== 'number') return null
  try {
    process.kill(owner.pid, 0) // asks whether it is there, and sends nothing
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return null
  }
  const now = stat(owner.pid)
  return now === null || (now.state !== 'Z' && now.startTick === owner.startTick) ? owner.pid : null
}

/** State and start tick from /proc (Linux), fields 3 and 22; the name before them may hold spaces and brackets. */
function stat(pid: number): { readonly state: string; readonly startTick: string } | null {
  const text = attempt('ENOENT', () => readFileSync(`/proc/${pid}/stat`, 'utf8'))
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ')
  return fields ? { state: fields[0] ?? '', startTick: fields[19] ?? '' } : null
}

/** `null` when it fails with the code. */
function attempt<Result>(code: string, work: () => Result): Result | null {
  try {
    return work()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === code) return null
    throw error
  }
}
