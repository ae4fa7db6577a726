import { execFileSync } from 'node:child_process'
import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from '../support/source-tree.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** Its standard output; on failure both streams are in the message. */
export function run(command: string, args: readonly string[], cwd: string): string {
  try {
    return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
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
  const newest = (folder: string): number =>
    Math.max(
      ...readdirSync(join(projectRoot, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs),
    )
  const built = statSync(join(projectRoot, 'dist/index.d.ts'), { throwIfNoEntry: false })?.mtimeMs ?? 0
  if (built < newest('src')) run('npm', ['run', '--silent', 'build'], projectRoot)
}

/** As npm would publish it. Returns the path of the tarball, which is gone with this process. */
export function pack(): string {
  buildUnlessFresh()
  const folder = temporaryFolder('packed')
  const told = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], projectRoot)
  const [{ filename }] = JSON.parse(told) as [{ readonly filename: string }]
  return join(folder, filename)
}

/** Installs packages of ours beside the tarball, by npm, which asks no registry for what is there. */
export function install(tarball: string, folder: string, packages: readonly string[]): void {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'application', private: true }))
  const own = packages.map((name) => join(projectRoot, 'node_modules', name))
  const quiet = ['--offline', '--install-links', '--no-audit', '--no-fund', '--silent']
  run('npm', ['install', ...quiet, tarball, ...own], folder)
}
