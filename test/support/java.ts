import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from './file-lock.js'
import type { KafkaInstallation } from './kafka-jars.js'
import { dieWithUs } from './reaper.js'
import { requireCommand } from './run-command.js'

/** Where jars lie, and how a JVM runs them. */
export type JavaInstallation = Pick<KafkaInstallation, 'folder' | 'classpath' | 'quickStartFlags'>

const quickStart = ({ quickStartFlags }: JavaInstallation) => [
  ...quickStartFlags,
  '-Xmx512m',
  '-Dtidemark.log=/dev/null',
]

export interface JavaRun {
  readonly input?: string
  /** Default 120 s; then the process is killed. */
  readonly timeoutMs?: number
  /** Default: quick to start. */
  readonly jvmFlags?: readonly string[]
  /** Takes each line of output as it comes; the result is then empty. */
  readonly onLine?: (line: string) => void
}

/** Runs a main class of Kafka's jars to its end and gives what it printed. */
export async function java(
  installation: JavaInstallation,
  mainClass: string,
  args: readonly string[],
  { input = '', timeoutMs = 120_000, jvmFlags = quickStart(installation), onLine }: JavaRun = {},
): Promise<string> {
  const child = startJava(installation, mainClass, args, jvmFlags)
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  const output: string[] = []
  let errors = ''
  if (onLine === undefined) child.stdout.setEncoding('utf8').on('data', (chunk: string) => output.push(chunk))
  else eachLine(child, onLine)
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (errors = (errors + chunk).slice(-4_000)))
  const { code, signal } = await ended(child)
  clearTimeout(timer)
  if (code === 0) return output.join('')
  const reason = signal === 'SIGKILL' ? `killed after ${timeoutMs} ms` : `exit ${code ?? signal}`
  throw new Error(`${mainClass}: ${reason}\n${errors}\n${output.join('').slice(-2_000)}`)
}

/** Starts a main class that goes on until its input ends or it is killed. */
export function startJava(
  installation: JavaInstallation,
  mainClass: string,
  args: readonly string[],
  jvmFlags: readonly string[] = quickStart(installation),
): ChildProcessWithoutNullStreams {
  const child = spawn('java', [...jvmFlags, '-cp', installation.classpath, mainClass, ...args])
  dieWithUs(child)
  return child
}

/** Calls `onLine` for each whole line of a child's output. */
export function eachLine(child: ChildProcessWithoutNullStreams, onLine: (line: string) => void): void {
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) onLine(line)
  })
}

const ended = (child: ChildProcessWithoutNullStreams) =>
  new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal }))
  })

/** The same installation with the tests' own Java program on its class path, compiled once for each version. */
export const withKafkaTool = (installation: KafkaInstallation): Promise<KafkaInstallation> =>
  withTool(installation, 'KafkaTool')

/** The same of any of the tests' own programs. */
export async function withTool<Jars extends JavaInstallation>(installation: Jars, name: string): Promise<Jars> {
  const toolSource = fileURLToPath(new URL(`./java/${name}.java`, import.meta.url))
  const hash = createHash('sha256')
    .update(await readFile(toolSource))
    .digest('hex')
    .slice(0, 12)
  const classes = join(installation.folder, `tool-${hash}`)
  if (!existsSync(classes)) await withLock(`${classes}.lock`, () => compile(installation, toolSource, classes))
  return { ...installation, classpath: `${installation.classpath}:${classes}` }
}

async function compile(installation: JavaInstallation, toolSource: string, classes: string): Promise<void> {
  if (existsSync(classes)) return
  await requireCommand('javac', ['-version'])
  const staging = `${classes}.part`
  await rm(staging, { recursive: true, force: true })
  const javac = spawn('javac', ['-d', staging, '-cp', installation.classpath, toolSource])
  let errors = ''
  javac.stderr.setEncoding('utf8').on('data', (chunk: string) => (errors += chunk))
  const { code } = await ended(javac)
  if (code !== 0) throw new Error(`javac ${toolSource}: exit ${code}\n${errors}`)
  await rename(staging, classes)
}
