import { spawn, type ChildProcess } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { freePorts } from './free-ports.js'
import { cacheRoot, copyArtifact, installOnce } from './installations.js'
import { dieWithUs } from './reaper.js'
import { requireCommand, run } from './run-command.js'
import { temporaryFolder } from './temporary-folder.js'
import { delay } from './waiting.js'

/** The last version that runs on Java 17. */
const apicurio = '2.6.13.Final'
const name = `apicurio-registry-app-${apicurio}`

/** An Apicurio registry in a process of its own. */
export interface RegistryServer extends AsyncDisposable {
  /** Where it speaks Confluent's API. */
  readonly url: string
  /** Where it speaks its own. */
  readonly ownUrl: string
  /** Resolved when it answers, at the same address and with the schemas that it had. */
  start(): Promise<void>
  /** SIGTERM; resolved when the process is gone. */
  stop(): Promise<void>
  /** Which changes of a subject it takes. Until told it takes all. */
  demand(subject: string, compatibility: 'BACKWARD' | 'FULL' | 'NONE'): Promise<void>
}

/** Fetched from Maven Central on first use, and ready when this resolves. */
export async function startRegistry(): Promise<RegistryServer> {
  const installation = join(cacheRoot(), 'registry', apicurio)
  await installOnce(installation, install)
  const [port = 0] = await freePorts(1)
  const server = registryAt(installation, port, temporaryFolder('registry'))
  await server.start()
  return server
}

async function install(folder: string): Promise<void> {
  await requireCommand('java', ['-version'])
  await copyArtifact(folder, `io.apicurio:apicurio-registry-app:${apicurio}:tar.gz:all`)
  const archive = join(folder, `${name}-all.tar.gz`)
  await run('tar', ['-xzf', archive, '-C', folder])
  await rm(archive)
}

function registryAt(installation: string, port: number, data: string): RegistryServer {
  const origin = `http://127.0.0.1:${port}`
  const url = `${origin}/apis/ccompat/v7`
  let child: ChildProcess | undefined
  let output = ''
  const isRunning = () => child !== undefined && child.exitCode === null && child.signalCode === null

  function launch(): void {
    output = ''
    const flags = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Dquarkus.http.host=127.0.0.1']
    const started = spawn('java', [...flags, '-jar', `${name}-runner.jar`], {
      cwd: installation,
      // Its own default is a database in memory, which would not outlive an outage.
      env: {
        ...process.env,
        QUARKUS_HTTP_PORT: String(port),
        REGISTRY_DATASOURCE_URL: `jdbc:h2:file:${join(data, 'registry')}`,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const collect = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4_000)
    }
    started.stdout.on('data', collect)
    started.stderr.on('data', collect)
    started.on('error', (error) => collect(Buffer.from(error.message)))
    child = started
    dieWithUs(started)
  }

  async function ready(): Promise<boolean> {
    const giveUpAt = Date.now() + 120_000
    while (isRunning()) {
      if (await answers(`${url}/subjects`)) return true
      if (Date.now() > giveUpAt) throw new Error(`the registry did not answer within 120 s:\n${output}`)
      await delay(50)
    }
    return false
  }

  async function stop(): Promise<void> {
    const ending = child
    if (ending === undefined || !isRunning()) return
    const gone = new Promise((resolve) => ending.once('exit', resolve))
    ending.kill('SIGTERM')
    const timer = setTimeout(() => ending.kill('SIGKILL'), 15_000)
    await gone
    clearTimeout(timer)
  }

  return {
    url,
    ownUrl: `${origin}/apis/registry/v2`,
    // While it is down an outgoing connection may have its port for a moment, so a failed start is tried again.
    async start() {
      for (let attempt = 1; ; attempt += 1) {
        if (!isRunning()) launch()
        if (await ready()) return
        if (attempt === 5) throw new Error(`the registry ended while starting:\n${output}`)
        await delay(500)
      }
    },
    stop,
    async demand(subject, compatibility) {
      const answer = await fetch(`${url}/config/${subject}`, {
        method: 'PUT',
        headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
        body: JSON.stringify({ compatibility }),
      })
      if (!answer.ok)
        throw new Error(`the registry does not take ${compatibility}: ${answer.status} ${await answer.text()}`)
    },
    [Symbol.asyncDispose]: stop,
  }
}

const answers = (address: string): Promise<boolean> =>
  fetch(address, { signal: AbortSignal.timeout(2_000) }).then(
    async (answer) => {
      await answer.arrayBuffer()
      return answer.ok
    },
    () => false,
  )
