import { execFileSync } from 'node:child_process'
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { newestIn } from '../support/built-command.js'
import { projectRoot } from '../support/source-tree.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** What a user has around: nothing of what only these tests are told by, as the command refuses names that it does not know. */
export const usersEnvironment: NodeJS.ProcessEnv = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('TIDEMARK_')),
)

/** Its standard output; on failure both streams are in the message. */
export function run(command: string, args: readonly string[], cwd: string): string {
  try {
    return execFileSync(command, args, {
      cwd,
      env: usersEnvironment,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout: string; readonly stderr: string }
    throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}\n${stderr}`, { cause: error })
  }
}

/** A command that a package here has brought. */
export function runBinary(name: string, args: readonly string[], cwd: string): string {
  return run(join(projectRoot, 'node_modules/.bin', name), args, cwd)
}

/** What was built is not what is packed when the sources have gone on. */
export function buildUnlessFresh(): void {
  const built = statSync(join(projectRoot, 'dist/index.d.ts'), { throwIfNoEntry: false })?.mtimeMs ?? 0
  if (built < newestIn('src')) run('npm', ['run', '--silent', 'build'], projectRoot)
}

/** As npm would publish it. Returns the path of the tarball, which is gone with this process. */
export function pack(): string {
  buildUnlessFresh()
  const folder = temporaryFolder('packed')
  const told = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], projectRoot)
  const [{ filename }] = JSON.parse(told) as [{ readonly filename: string }]
  return join(folder, filename)
}

/** What the tarball takes on a disk. */
export function unpackedSize(tarball: string): { readonly bytes: number; readonly files: number } {
  const listed = run('tar', ['tvzf', tarball], projectRoot).trimEnd().split('\n')
  return { bytes: listed.reduce((sum, line) => sum + Number(line.split(/\s+/)[2]), 0), files: listed.length }
}

/** Installs packages of ours beside the tarball, by npm, which asks no registry for what is there. */
export function install(tarball: string, folder: string, packages: readonly string[]): void {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'application', private: true }))
  const own = packages.map((name) => join(projectRoot, 'node_modules', name))
  const quiet = ['--offline', '--install-links', '--no-audit', '--no-fund', '--silent']
  run('npm', ['install', ...quiet, tarball, ...own], folder)
}
