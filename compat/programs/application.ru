# A Rack application whose requests wait: for puma's threads.
run lambda { |environment|
  sleep 0.2 if environment["PATH_INFO"].start_with?("/wait")
  body = "#{environment['PATH_INFO']} for #{environment['HTTP_X_CLIENT']}\n"
  [200, { "Content-Type" => "text/plain", "Content-Length" => body.bytesize.to_s }, [body]]
}
