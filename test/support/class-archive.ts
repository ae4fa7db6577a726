import { spawn } from 'node:child_process'
import { cp, rename, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { freePorts } from './free-ports.js'
import type { KafkaInstallation } from './kafka-jars.js'
import { nodeProperties, plaintext } from './kafka-properties.js'
import { dieWithUs } from './reaper.js'
import { until } from './waiting.js'

/**
 * Runs a broker once and has the JVM write the classes that it loaded to a file, which later brokers map into memory.
 * Without that file a JVM starts as usual, so whatever goes wrong here costs only time.
 */
export async function writeClassArchive(
  installation: KafkaInstallation,
  jvmFlags: readonly string[],
  archive: string,
): Promise<void> {
  const work = join(installation.folder, 'archive-run')
  const [clientPort = 0, internalPort = 0, controllerPort = 0] = await freePorts(3)
  const address = { id: 1, clientPort, advertisedPort: clientPort, internalPort, controllerPort, morePorts: {} }
  const data = join(work, 'data')
  await cp(installation.formattedData, data, { recursive: true })
  await writeFile(join(data, 'meta.properties'), 'version=1\ncluster.id=dGlkZW1hcmtfX2Zvcm1hdA\nnode.id=1\n')
  await writeFile(join(work, 'node.properties'), nodeProperties(address, [address], data, plaintext, {}, {}))
  const flags = [...jvmFlags, `-XX:ArchiveClassesAtExit=${archive}.part`, `-Dtidemark.log=${join(work, 'log')}`]
  const broker = spawn(
    'java',
    [...flags, '-cp', installation.classpath, 'kafka.Kafka', join(work, 'node.properties')],
    {
      stdio: 'ignore',
    },
  )
  dieWithUs(broker)
  const ended = new Promise((resolve) => broker.once('close', resolve))
  const timer = setTimeout(() => broker.kill('SIGKILL'), 60_000)
  await until('broker listens', () => broker.exitCode !== null || accepts(clientPort)).catch(() => undefined)
  broker.kill('SIGTERM')
  await ended
  clearTimeout(timer)
  await rename(`${archive}.part`, archive).catch(() => undefined)
  await rm(work, { recursive: true, force: true })
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
