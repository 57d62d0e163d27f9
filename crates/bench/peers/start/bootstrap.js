// Polls Lambda's Runtime API, as the bootstrap of AWS's own Node runtime does.

import http from 'node:http'
import { handler } from './entitlements.js'

const invocations = `http://${process.env.AWS_LAMBDA_RUNTIME_API}/2018-06-01/runtime/invocation/`
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(invocations + path, { method, agent }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part) => (text += part))
      response.on('end', () => resolve({ headers: response.headers, text }))
      response.on('error', reject)
    })
    request.on('error', reject)
    request.end(body)
  })
}

async function run() {
  for (;;) {
    const { headers, text } = await call('GET', 'next')
    const id = headers['lambda-runtime-aws-request-id']
    try {
      const answer = await handler(JSON.parse(text))
      await call('POST', `${id}/response`, JSON.stringify(answer))
    } catch (error) {
      console.error(error)
      const report = { errorType: error.name, errorMessage: error.message }
      await call('POST', `${id}/error`, JSON.stringify(report))
    }
  }
}

run()
