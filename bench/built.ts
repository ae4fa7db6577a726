import { cp, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from '../test/support/run-command.js'
import { projectRoot } from '../test/support/source-tree.js'
import { temporaryFolder } from '../test/support/temporary-folder.js'
import { builtLibrary, type Library } from './library.js'

/** What stands in this folder now, committed or not. */
export async function workingCopy(): Promise<string> {
  const folder = temporaryFolder('present')
  for (const name of ['src', 'build', 'package.json', 'tsconfig.json', 'tsup.config.ts'])
    await cp(join(projectRoot, name), join(folder, name), { recursive: true })
  await symlink(join(projectRoot, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

/** The folder of what users would load. */
export async function built(sources: string): Promise<string> {
  await run(process.execPath, [join(sources, 'node_modules/tsup/dist/cli-default.js'), '--no-dts', '--silent'], {
    cwd: sources,
  })
  return join(sources, 'dist')
}

/** As users load it: what runs the sources names every function anew, which costs several percent for each record. */
export const presentLibrary = async (): Promise<Library> => builtLibrary(await built(await workingCopy()))
