import { spawn, type ChildProcess } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './run-command.js'
import { projectRoot } from './source-tree.js'
import { temporaryFolder } from './temporary-folder.js'

const main = join(projectRoot, 'dist/cli/main.js')

/** As `npm run build` builds it, and anew where the sources have gone on since. @returns the file that is its program */
export async function builtCommand(): Promise<string> {
  await builtAnew(main, 'tsup.cli.config.ts')
  return main
}

/** With the page that its console serves. */
export async function builtConsole(): Promise<string> {
  await builtAnew(join(projectRoot, 'dist/console/page.js'), 'tsup.page.config.ts')
  return builtCommand()
}

async function builtAnew(file: string, config: string): Promise<void> {
  const built = statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
  if (built >= newestIn('src')) return
  await run(join(projectRoot, 'node_modules/.bin/tsup'), ['--config', config], { cwd: projectRoot })
}

/** When the newest file of a folder of this project was written, ms. */
export function newestIn(folder: string): number {
  const files = readdirSync(join(projectRoot, folder), { recursive: true, withFileTypes: true })
  return Math.max(
    ...files.filter((entry) => entry.isFile()).map((entry) => statSync(join(entry.parentPath, entry.name)).mtimeMs),
  )
}

/** What became of a process of the command, and what it took. */
export interface RanProcess {
  readonly exit: number | null
  readonly signal: string | null
  readonly out: string
  readonly err: string
  readonly wallMs: number
  /** In user and kernel together. */
  readonly cpuMs: number
  /** Most memory that was resident, bytes. */
  readonly memory: number
}

export interface AroundProcess {
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly directory?: string | undefined
  /** Called at once. */
  readonly onStart?: ((child: ChildProcess) => void) | undefined
}

/** Tells on a fourth stream what the process has taken when it ends. */
const telling = `data:text/javascript,${encodeURIComponent(
  `import { writeSync } from 'node:fs'; process.on('exit', () => writeSync(3, JSON.stringify(process.resourceUsage())))`,
)}`

/** Runs `tidemark <words>` as a process of its own. */
export async function runProcess(words: readonly string[], around: AroundProcess = {}): Promise<RanProcess> {
  const command = await builtCommand()
  const begun = performance.now()
  const child = spawn(process.execPath, ['--import', telling, command, ...words], {
    cwd: around.directory ?? temporaryFolder('command'),
    env: { PATH: process.env['PATH'], ...around.env },
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  const texts = [1, 2, 3].map((stream) => {
    const parts: Buffer[] = []
    child.stdio[stream]?.on('data', (part: Buffer) => void parts.push(part))
    return () => Buffer.concat(parts).toString('utf8')
  })
  around.onStart?.(child)
  const [exit, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, by) => resolve([code, by]))
  })
  const wallMs = performance.now() - begun
  const [out, err, told] = texts.map((text) => text())
  const usage = JSON.parse(told || '{}') as Partial<NodeJS.ResourceUsage>
  const { userCPUTime = 0, systemCPUTime = 0, maxRSS = 0 } = usage
  return {
    ...{ exit, signal, out: out as string, err: err as string, wallMs },
    ...{ cpuMs: (userCPUTime + systemCPUTime) / 1_000, memory: maxRSS * 1_024 },
  }
}
