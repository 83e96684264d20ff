-- GHC's threaded runtime: 2,000 green threads of its own over 4 capabilities, bound threads, safe foreign calls that wait,
-- software transactions, garbage collections that all capabilities stop for.
import Control.Concurrent
import Control.Concurrent.STM
import Control.Exception
import Control.Monad
import qualified Data.Map as Map
import Foreign.C.Types
import System.Mem

foreign import ccall safe "usleep" usleep :: CUInt -> IO CInt

together :: Int -> (IO () -> IO ThreadId) -> (Int -> IO a) -> IO [a]
together count fork work = do
  results <- forM [1 .. count] $ \number -> do
    result <- newEmptyMVar
    _ <- fork (work number >>= evaluate >>= putMVar result)
    pure result
  mapM takeMVar results

main :: IO ()
main = do
  sleepers <- together 2000 forkIO (\number -> threadDelay (number `mod` 7 * 1000) >> pure number)
  print (sum sleepers)
  bound <- together 20 forkOS (\number -> usleep 5000 >> pure (number * number))
  print (sum bound)
  computed <- together 8 forkIO $ \number -> do
    when (number == 4) performGC
    evaluate (Map.foldl' (+) 0 (Map.fromList [(key * number `mod` 7919, key) | key <- [1 .. 20000 :: Int]]))
  print (sum computed)
  accounts <- mapM newTVarIO [1000, 1000 :: Int]
  _ <- together 16 forkIO $ \number -> forM_ [1 .. 200 :: Int] $ \turn -> atomically $ do
    let [from, to] = if even (number + turn) then accounts else reverse accounts
    modifyTVar' from (subtract 1)
    modifyTVar' to (+ 1)
  total <- sum <$> mapM readTVarIO accounts
  print total
  victim <- newEmptyMVar
  sleeper <- forkIO ((threadDelay 60000000) `catch` \error -> putMVar victim (show (error :: AsyncException)))
  threadDelay 10000
  killThread sleeper
  takeMVar victim >>= putStrLn
