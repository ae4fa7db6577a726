import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { removeWithUs } from './reaper.js'

/** A new folder that is gone when this process is, however it ends. */
export function temporaryFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `tidemark-${name}-`))
  removeWithUs(folder)
  return folder
}
