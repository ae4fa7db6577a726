import { readFile, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from './run-command.js'
import { temporaryFolder } from './temporary-folder.js'

/** The folder of this project. */
export const projectRoot = fileURLToPath(new URL('../..', import.meta.url))

/** The sources of another commit with the packages they need, in a temporary folder that is gone with this process. */
export async function sourcesOf(commit: string): Promise<string> {
  const folder = temporaryFolder('sources')
  const archive = join(folder, 'sources.tar')
  await run('git', ['-C', projectRoot, 'archive', '--output', archive, commit]).catch((cause: unknown) => {
    throw new Error(`git knows no commit ${commit} here; in a shallow clone: git fetch --unshallow`, { cause })
  })
  await run('tar', ['-xf', archive, '-C', folder])
  await rm(archive)
  if (await hasSamePackages(folder)) await symlink(join(projectRoot, 'node_modules'), join(folder, 'node_modules'))
  else await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: folder })
  return folder
}

async function hasSamePackages(folder: string): Promise<boolean> {
  const [theirs, ours] = await Promise.all(
    [folder, projectRoot].map((root) => readFile(join(root, 'package-lock.json'), 'utf8')),
  )
  return theirs === ours
}
