import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'

/**
 * Makes this process the one owner of a database file, or throws while another living process has it. Who owns it says so in the
 * name of a file beside it, and looks only then who else is there: of two that come at once at most one stays. Dead owners, as
 * kill -9 leaves them behind, are removed. Returns the function that gives the ownership up.
 */
export function takeOwnership(database: string): () => void {
  const prefix = `${basename(database)}.owner.`
  const mine = `${prefix}${process.pid}.${stat(process.pid)?.startTick ?? ''}`
  const pathOf = (name: string): string => join(dirname(database), name)
  const giveUp = (): void => rmSync(pathOf(mine), { force: true })
  try {
    writeFileSync(pathOf(mine), '', { flag: 'wx' })
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'EEXIST' ? inUse(database, process.pid) : error
  }
  for (const name of readdirSync(dirname(database))) {
    if (!name.startsWith(prefix) || name === mine) continue
    const [pid, startTick = ''] = name.slice(prefix.length).split('.')
    if (isAlive(Number(pid), startTick)) {
      giveUp()
      throw inUse(database, Number(pid))
    }
    rmSync(pathOf(name), { force: true })
  }
  return giveUp
}

function inUse(database: string, pid: number): Error {
  return new Error(
    `expected to be the only process that opens ${database}, but process ${pid} has it open; ` +
      `stop that process, or choose another folder with --data-dir`,
  )
}

/** A later process may have the number of a dead one, but did not start when that did. Elsewhere than on Linux nobody tells. */
function isAlive(pid: number, startTick: string): boolean {
  try {
    process.kill(pid, 0) // asks whether it is there, and sends nothing
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const now = stat(pid)
  return now === null || (now.state !== 'Z' && now.startTick === startTick)
}

/** State and start tick from /proc, fields 3 and 22; the name before them may hold spaces and brackets. */
function stat(pid: number): { readonly state: string; readonly startTick: string } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0] ?? '', startTick: fields[19] ?? '' }
  } catch {
    return null
  }
}
