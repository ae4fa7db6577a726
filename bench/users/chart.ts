import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { projectRoot } from '../../test/support/source-tree.js'
import { UsageError } from '../usage-error.js'
import { goalPicture } from './goal-picture.js'
import { goalTable, lastOfEachRow, type Cell } from './report.js'

export const pictureFile = 'bench/goals.svg'
/** What the picture was drawn of: the figures of the last measuring. */
export const figuresFile = 'bench/goals.jsonl'

/** Draws how near each goal is, from the cells that `--json` wrote. */
export async function drawChart(file: string | undefined): Promise<void> {
  const cells = await cellsOf(file)
  await writeFile(join(projectRoot, pictureFile), `${goalPicture(cells)}\n`)
  process.stdout.write(`${pictureFile}: drawn of ${cells.length} figures\n`)
}

/** Prints all goals as a table, from the same. */
export async function tellGoals(file: string | undefined): Promise<void> {
  process.stdout.write(goalTable(await cellsOf(file)))
}

async function cellsOf(file = join(projectRoot, figuresFile)): Promise<readonly Cell[]> {
  const lines = await readFile(file, 'utf8').catch((error: Error) => {
    throw new UsageError(`--json names a file of figures that a run wrote: ${error.message}`)
  })
  return cellsFrom(lines)
}

export function cellsFrom(lines: string): readonly Cell[] {
  const cells = lines.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Cell]))
  return lastOfEachRow(cells)
}
