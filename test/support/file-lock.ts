import { open, readFile, rm } from 'node:fs/promises'
import { delay } from './waiting.js'

/** Runs `work` while no other process on this machine holds the lock; a lock whose owner died is taken over. */
export async function withLock(path: string, work: () => Promise<void>): Promise<void> {
  const giveUpAt = Date.now() + 300_000
  while (!(await tryLock(path))) {
    if (Date.now() > giveUpAt)
      throw new Error(`${path} is held by another process for 300 s; remove it if that one is gone`)
    await delay(200)
  }
  try {
    await work()
  } finally {
    await rm(path, { force: true })
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    await file.writeFile(String(process.pid))
    await file.close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const owner = Number(await readFile(path, 'utf8').catch(() => ''))
  if (owner > 0 && !isAlive(owner)) await rm(path, { force: true })
  return false
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
