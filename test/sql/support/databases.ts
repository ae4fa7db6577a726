import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { sql, type Dialect } from 'kysely'
import { freePorts } from '../../support/free-ports.js'
import { dieWithUs } from '../../support/reaper.js'
import { temporaryFolder } from '../../support/temporary-folder.js'
import { until } from '../../support/waiting.js'
import { openDatabase, type DatabasePlace, type TestKysely } from './open-database.js'

export const isFull = process.env['TIDEMARK_FULL'] === '1'

/** A database of its own: a server on loopback with a port of the system, or a file. */
export interface TestDatabase {
  readonly place: DatabasePlace
  /** The processes that may use it at a time; a file has one. */
  readonly isServer: boolean
  /** @param through what is put before it, such as a network that loses */
  open(through?: (dialect: Dialect) => Dialect): TestKysely
  /** Orderly, and the server takes no connections until `start`. */
  stop(): Promise<void>
  start(): Promise<void>
  /** By SIGKILL. */
  kill(): Promise<void>
  /** It takes what is asked and answers nothing, until `thaw`. Of PostgreSQL only to those that come anew: others have processes of their own. */
  freeze(): void
  thaw(): void
}

/** As services are told it. */
export function urlOf({ place }: TestDatabase): string {
  if (place.kind === 'sqlite') return place.file
  return place.kind === 'mariadb'
    ? `mysql://root@127.0.0.1:${place.port}/test`
    : `postgres://tidemark@127.0.0.1:${place.port}/postgres`
}

type Kind = DatabasePlace['kind']

/** Those that are tried in this run. */
export const kinds: readonly Kind[] = isFull ? ['sqlite', 'mariadb', 'postgres'] : ['sqlite', 'mariadb']

export async function startDatabase(kind: Kind): Promise<TestDatabase> {
  switch (kind) {
    case 'sqlite': {
      const place = { kind, file: join(temporaryFolder('sqlite'), 'test.db') } as const
      const nothing = () => Promise.resolve()
      const [never, ended] = [() => undefined, { stop: nothing, start: nothing, kill: nothing }]
      return {
        place,
        isServer: false,
        open: (through) => openDatabase(place, through),
        ...ended,
        freeze: never,
        thaw: never,
      }
    }
    case 'mariadb':
      return startServer(kind, mariadb())
    case 'postgres':
      return startServer(kind, postgres())
  }
}

interface Server {
  readonly command: string
  readonly argsFor: (port: number) => readonly string[]
  readonly owner: { readonly uid: number; readonly gid: number } | undefined
}

async function startServer(kind: 'mariadb' | 'postgres', server: Server): Promise<TestDatabase> {
  const [port = 0] = await freePorts(1)
  const place = { kind, port } as const
  let child: ChildProcess | null = null
  const start = async () => {
    let said = ''
    const started = spawn(server.command, server.argsFor(port), { stdio: ['ignore', 'pipe', 'pipe'], ...server.owner })
    dieWithUs(started)
    for (const stream of [started.stdout, started.stderr])
      stream.on('data', (text) => (said = `${said}${String(text)}`.slice(-4_000)))
    child = started
    const db = openDatabase(place)
    try {
      await until(`${kind} answers`, async () => {
        if (started.exitCode !== null) throw new Error(`${kind} ended with ${started.exitCode}: ${said}`)
        await sql`select 1`.execute(db)
        return true
      })
    } finally {
      await db.destroy()
    }
  }
  const end = async (signal: NodeJS.Signals) => {
    const running = child
    if (running === null || running.exitCode !== null || running.signalCode !== null) return
    const ended = new Promise((resolve) => running.once('exit', resolve))
    running.kill(signal)
    await ended
  }
  // PostgreSQL: end connections and do not wait for them.
  const stop = () => end(kind === 'postgres' ? 'SIGINT' : 'SIGTERM')
  await start()
  return {
    ...{
      place,
      isServer: true,
      open: (through) => openDatabase(place, through),
      stop,
      start,
      kill: () => end('SIGKILL'),
    },
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
  }
}

function mariadb(): Server {
  const command = requireProgram('mariadbd', ['/usr/sbin/mariadbd'], 'mariadb-server-core')
  const folder = temporaryFolder('mariadb')
  const data = join(folder, 'data')
  mkdirSync(join(data, 'test'), { recursive: true })
  // Without the tables of users, which others of its packages make.
  const common = [
    '--no-defaults',
    `--datadir=${data}`,
    '--skip-grant-tables',
    ...(process.getuid?.() === 0 ? ['--user=root'] : []),
  ]
  const argsFor = (port: number) => [
    ...common,
    '--bind-address=127.0.0.1',
    `--port=${port}`,
    `--socket=${join(folder, 'socket')}`,
    `--pid-file=${join(folder, 'pid')}`,
    '--skip-name-resolve',
    '--innodb-buffer-pool-size=32M',
    '--innodb-log-file-size=16M',
  ]
  return { command, argsFor, owner: undefined }
}

/** It does not run as root, so a user is asked for that its package makes. */
function postgres(): Server {
  const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql').sort().reverse() : []
  const bin = requireProgram(
    'postgres',
    versions.map((version) => `/usr/lib/postgresql/${version}/bin/postgres`),
    'postgresql',
  )
  const folder = temporaryFolder('postgres')
  const owner = process.getuid?.() === 0 ? ownerNamed('postgres') : undefined
  if (owner !== undefined) chownSync(folder, owner.uid, owner.gid)
  const data = join(folder, 'data')
  execFileSync(bin.replace(/postgres$/, 'initdb'), ['-D', data, '-A', 'trust', '-U', 'tidemark', '--no-sync'], {
    stdio: 'pipe',
    cwd: folder,
    ...owner,
  })
  const argsFor = (port: number) => ['-D', data, '-h', '127.0.0.1', '-p', `${port}`, '-k', folder]
  return { command: bin, argsFor, owner }
}

function ownerNamed(name: string): { readonly uid: number; readonly gid: number } {
  const idOf = (flag: string) => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }))
  return { uid: idOf('-u'), gid: idOf('-g') }
}

function requireProgram(name: string, places: readonly string[], debianPackage: string): string {
  const found = places.find((place) => existsSync(place))
  if (found !== undefined) return found
  throw new Error(
    `these tests need ${name}, which is not at ${places.join(', ') || 'its place'}: apt-get install ${debianPackage}`,
  )
}
