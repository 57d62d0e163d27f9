// Calls `call(number)` from several loops at once, and prints one line of JSON: calls per second, and
// calls per second of this process's processor time.

/** @type {{ concurrency: number, seconds: number, [name: string]: any }} */
export const settings = JSON.parse(process.env.BENCH_SETTINGS)

const WARM_MS = 500

async function loops(milliseconds, call) {
  const until = performance.now() + milliseconds
  let made = 0
  const loop = async () => {
    while (performance.now() < until) {
      await call(numbered++)
      made += 1
    }
  }
  await Promise.all(Array.from({ length: settings.concurrency }, loop))
  return made
}

let numbered = 0

export async function measure(call) {
  await loops(WARM_MS, call)
  const cpu = process.cpuUsage()
  const began = performance.now()
  const made = await loops(settings.seconds * 1000, call)
  const seconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(cpu)
  console.log(JSON.stringify({ rate: made / seconds, per_cpu_second: (made * 1e6) / (user + system) }))
}
