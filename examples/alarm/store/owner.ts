import { randomUUID } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'

/** A process, told apart from a later one that got the same number. */
interface Owner {
  readonly pid: number
  /** The kernel's start tick where there is one (Linux), else empty. */
  readonly startTick: string
}

/** Another living process has the database open. */
class DatabaseInUseError extends Error {
  override readonly name = 'DatabaseInUseError'
  constructor(
    readonly path: string,
    readonly pid: number,
  ) {
    super(
      `expected to be the only process that opens ${path}, but process ${pid} has it open; ` +
        `stop that process, or choose another folder with --data-dir`,
    )
  }
}

/**
 * Makes this process the one owner of a database file, or throws `DatabaseInUseError`. A dead owner, as kill -9 leaves
 * one behind, is replaced. Returns the function that gives the ownership up.
 */
export function takeOwnership(databasePath: string): () => void {
  const path = `${databasePath}.owner`
  const mine = JSON.stringify(thisProcess())
  for (;;) {
    if (created(path, mine)) return () => rmSync(path, { force: true })
    const text = readText(path)
    if (text === null) continue
    const owner = parseOwner(text)
    if (owner && isAlive(owner)) throw new DatabaseInUseError(databasePath, owner.pid)
    removeDead(path, text)
  }
}

/**
 * Two processes may find the same dead owner. Only one can rename its file away; and if what it got is not what it
 * judged dead, another was faster and its file goes back.
 */
function removeDead(path: string, judgedDead: string): void {
  const aside = `${path}.${randomUUID()}`
  try {
    renameSync(path, aside)
  } catch (error) {
    if (isMissing(error)) return
    throw error
  }
  if (readText(aside) === judgedDead) rmSync(aside)
  else renameSync(aside, path)
}

function created(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: 'wx' })
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

/** `null` for a file cut short, by a process that died while writing it. */
function parseOwner(text: string): Owner | null {
  try {
    const owner = JSON.parse(text) as Partial<Owner>
    return typeof owner.pid === 'number' && typeof owner.startTick === 'string'
      ? { pid: owner.pid, startTick: owner.startTick }
      : null
  } catch {
    return null
  }
}

function thisProcess(): Owner {
  return { pid: process.pid, startTick: readStat(process.pid)?.startTick ?? '' }
}

function isAlive(owner: Owner): boolean {
  try {
    // Signal 0 asks whether the process is there and sends nothing.
    process.kill(owner.pid, 0)
  } catch (error) {
    return hasCode(error, 'EPERM')
  }
  const stat = readStat(owner.pid)
  if (!stat) return true
  return stat.state !== 'Z' && stat.startTick === owner.startTick
}

/** State and start tick from /proc, fields 3 and 22; the name before them may hold spaces and brackets. */
function readStat(pid: number): { readonly state: string; readonly startTick: string } | null {
  const text = readText(`/proc/${pid}/stat`)
  if (text === null) return null
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return { state: fields[0] ?? '', startTick: fields[19] ?? '' }
}

function isMissing(error: unknown): boolean {
  return hasCode(error, 'ENOENT')
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
