# Ruby's WEBrick: a thread for each connection. Usage: webrick_server.rb PORT
require "webrick"

quiet = WEBrick::Log.new(File::NULL)
server = WEBrick::HTTPServer.new(BindAddress: "127.0.0.1", Port: ARGV[0].to_i, Logger: quiet, AccessLog: [], MaxClients: 200)
server.mount_proc("/") do |request, response|
  sleep 0.2 if request.path.start_with?("/wait")
  response.body = "#{request.path} for #{request['X-Client']}\n"
end
trap("TERM") { server.shutdown }
server.start
