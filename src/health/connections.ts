import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/**
 * Bounds the connections of a server so that whoever opens many, and asks nothing, keeps nobody else out.
 *
 * | a connection               | becomes |
 * |----------------------------|---------|
 * | comes, and there is room   | waiting |
 * | comes, and there is none   | waiting, and the one that waits longest is broken; broken itself when none waits |
 * | waiting: sends a request   | at work |
 * | at work: it was answered   | waiting |
 */
export function boundConnections(server: Server, most: number): void {
  /** Oldest first. */
  const waiting = new Set<Socket>()
  let open = 0
  server.on('connection', (socket) => {
    if (open >= most) {
      const [longest = socket] = waiting
      waiting.delete(longest)
      longest.destroy()
    }
    // Also of one that was broken just now: its end is told later.
    open += 1
    socket.once('close', () => {
      open -= 1
      waiting.delete(socket)
    })
    if (!socket.destroyed) waiting.add(socket)
  })
  server.on('request', ({ socket }, response) => {
    waiting.delete(socket)
    response.once('close', () => {
      if (!socket.destroyed) waiting.add(socket)
    })
  })
}
