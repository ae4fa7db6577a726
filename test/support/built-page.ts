import { build } from 'tsup'
import { projectRoot } from './source-tree.js'
import { temporaryFolder } from './temporary-folder.js'

/** Builds the page of the console from its sources, and resolves to where it is. */
export async function buildPage(): Promise<string> {
  const outDir = temporaryFolder('console-page')
  await build({ config: `${projectRoot}/tsup.page.config.ts`, outDir, silent: true, metafile: false })
  return outDir
}
